using System.Security.Cryptography;
using Millrace.Storage.Secrets;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteSecretStore(SqliteDatabase database) : ISecretStore
{
    public async Task<ReadOnlyMemory<byte>> ReadOrCreateAsync(string name, CancellationToken cancellation) => await database.WriteAsync(session =>
    {
        session.Execute("INSERT OR IGNORE INTO secrets (name, value) VALUES ($name, $value)", ("$name", name), ("$value", RandomNumberGenerator.GetBytes(32)));
        return (byte[])session.Scalar("SELECT value FROM secrets WHERE name = $name", ("$name", name))!;
    }, cancellation);
}
