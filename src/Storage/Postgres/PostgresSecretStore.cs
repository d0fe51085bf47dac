using System.Security.Cryptography;
using Millrace.Storage.Secrets;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresSecretStore(PostgresDatabase database) : ISecretStore
{
    public async Task<ReadOnlyMemory<byte>> ReadOrCreateAsync(string name, CancellationToken cancellation) => await database.WriteAsync(async session =>
    {
        await session.ExecuteAsync("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, RandomNumberGenerator.GetBytes(32));
        return (byte[])(await session.ScalarAsync("SELECT value FROM secrets WHERE name = $1", name))!;
    }, cancellation);
}
