namespace Millrace.Storage.Secrets;

/// <summary>Random keys that all replicas share, made on first use.</summary>
public interface ISecretStore
{
    /// <returns>32 random bytes, the same for every caller of this name.</returns>
    Task<ReadOnlyMemory<byte>> ReadOrCreateAsync(string name, CancellationToken cancellation);
}
