namespace Millrace.Storage.DeadLetters;

/// <summary>Messages that were set aside, kept to be looked at. None of them is needed for a job to go on.</summary>
public interface IDeadLetterStore
{
    /// <summary>Keeps it; one that is known by its id is kept once.</summary>
    Task AddAsync(DeadLetter letter, CancellationToken cancellation);

    /// <summary>The newest first.</summary>
    Task<IReadOnlyList<DeadLetter>> ListAsync(int atMost, CancellationToken cancellation);
}

/// <param name="At">When it was kept first, by the store's clock; what is given to <see cref="IDeadLetterStore.AddAsync"/> is not looked at.</param>
/// <param name="JobId">Of a ticket that can be read.</param>
/// <param name="Bytes">Size of its body.</param>
/// <param name="Body">Its beginning.</param>
public sealed record DeadLetter(Guid Id, DateTimeOffset At, string Queue, string Reason, Guid? JobId, long Bytes, ReadOnlyMemory<byte> Body);
