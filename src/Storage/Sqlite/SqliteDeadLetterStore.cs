using Millrace.Storage.DeadLetters;

namespace Millrace.Storage.Sqlite;

/// <inheritdoc/>
public sealed class SqliteDeadLetterStore(SqliteDatabase database, TimeProvider time) : IDeadLetterStore
{
    public Task AddAsync(DeadLetter letter, CancellationToken cancellation) => database.WriteAsync(session => session.Execute(
        "INSERT OR IGNORE INTO dead_letters (id, at, queue, reason, job_id, bytes, body) VALUES ($id, $at, $queue, $reason, $job, $bytes, $body)",
        ("$id", Columns.Bytes(letter.Id)), ("$at", Columns.Micros(time.GetUtcNow())), ("$queue", letter.Queue), ("$reason", letter.Reason),
        ("$job", letter.JobId is { } job ? Columns.Bytes(job) : null), ("$bytes", letter.Bytes), ("$body", letter.Body.ToArray())), cancellation);

    public Task<IReadOnlyList<DeadLetter>> ListAsync(int atMost, CancellationToken cancellation) => Task.FromResult(database.Read(session =>
    {
        var letters = new List<DeadLetter>();
        using var rows = session.Query("SELECT id, at, queue, reason, job_id, bytes, body FROM dead_letters ORDER BY at DESC, id LIMIT $most", ("$most", atMost));
        while (rows.Read())
        {
            letters.Add(new DeadLetter(Columns.Id(rows, 0).Value, Columns.Time(rows.GetInt64(1)), rows.GetString(2), rows.GetString(3),
                rows.IsDBNull(4) ? null : Columns.Id(rows, 4).Value, rows.GetInt64(5), rows.GetFieldValue<byte[]>(6)));
        }
        return (IReadOnlyList<DeadLetter>)letters;
    }));
}
