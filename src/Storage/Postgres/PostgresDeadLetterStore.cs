using Millrace.Storage.DeadLetters;
using NpgsqlTypes;

namespace Millrace.Storage.Postgres;

/// <inheritdoc/>
public sealed class PostgresDeadLetterStore(PostgresDatabase database) : IDeadLetterStore
{
    public Task AddAsync(DeadLetter letter, CancellationToken cancellation) => database.WriteAsync(session => session.ExecuteAsync(
        "INSERT INTO dead_letters (id, at, queue, reason, job_id, bytes, body) VALUES ($1, store_now(), $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        letter.Id, letter.Queue, letter.Reason, Columns.Typed(NpgsqlDbType.Uuid, letter.JobId), letter.Bytes, letter.Body.ToArray()), cancellation);

    public Task<IReadOnlyList<DeadLetter>> ListAsync(int atMost, CancellationToken cancellation) => database.ReadAsync<IReadOnlyList<DeadLetter>>(async session =>
        await session.QueryAsync("SELECT id, at, queue, reason, job_id, bytes, body FROM dead_letters ORDER BY at DESC, id LIMIT $1", row => new DeadLetter(
            row.GetGuid(0), Columns.Time(row, 1), row.GetString(2), row.GetString(3), row.IsDBNull(4) ? null : row.GetGuid(4), row.GetInt64(5), row.GetFieldValue<byte[]>(6)), atMost), cancellation);
}
