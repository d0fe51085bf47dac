namespace Millrace.Storage;

/// <summary>Stands around every call of the database server.</summary>
public interface IStoreGuard
{
    /// <summary>Makes the call, or refuses at once.</summary>
    /// <exception cref="StoreUnavailableException">As the call's own, or instead of it.</exception>
    Task<T> RunAsync<T>(Func<Task<T>> call);
}
