using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Access;

namespace Millrace.Api.Access;

/// <summary>All keys, in memory: whatever a caller shows, finding out costs no I/O. Changes are read every second, so a revoked key works nowhere after two.</summary>
internal sealed class KeyDirectory(IKeyStore store, AccessOptions options, TimeProvider time, ILogger<KeyDirectory> logger) : PassLoop(TimeSpan.FromSeconds(1), time, logger, firstAtStart: true)
{
    private static readonly byte[] NoHash = new byte[SHA256.HashSizeInBytes];
    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<string, ApiKey> _keys = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private long _revision;
    private long _readAt;

    /// <summary>The store was read once; before, nothing can be said of any key.</summary>
    public bool IsLoaded { get; private set; }

    /// <summary>There is nothing to know anybody by: no key was ever made, and no issuer is set.</summary>
    public bool IsEmpty => _keys.IsEmpty && options.Issuer.Length == 0;

    public IReadOnlyList<ApiKey> All => _keys.Values.OrderBy(k => k.CreatedAt).ThenBy(k => k.Id, StringComparer.Ordinal).ToArray();

    /// <summary>The valid key of this text. An unknown id takes the same steps as a known one.</summary>
    public ApiKey? Find(string text)
    {
        var id = KeyText.IdOf(text);
        var key = id is null ? null : _keys.GetValueOrDefault(id);
        if (id is not null && key is null && Time.GetElapsedTime(Volatile.Read(ref _readAt)) > LeastPause)
            Wake(); // it may be new
        var same = CryptographicOperations.FixedTimeEquals(KeyText.Hash(text), key is null ? NoHash : key.Hash.Span);
        return same && key is not null && key.IsValid(Time.GetUtcNow()) ? key : null;
    }

    public override async Task RunOnceAsync(CancellationToken cancellation)
    {
        await _reading.WaitAsync(cancellation);
        try
        {
            Volatile.Write(ref _readAt, Time.GetTimestamp());
            foreach (var key in await store.ReadChangedAsync(_revision, cancellation))
            {
                _keys[key.Id] = key;
                _revision = key.Revision;
            }
            IsLoaded = true;
        }
        finally { _reading.Release(); }
    }

    public override void Dispose()
    {
        _reading.Dispose();
        base.Dispose();
    }
}
