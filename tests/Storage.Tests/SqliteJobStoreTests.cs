using Microsoft.Data.Sqlite;
using Millrace.Storage.Jobs;
using Millrace.Storage.Sqlite;
using Millrace.Tests.Support;

namespace Millrace.Storage.Tests;

/// <summary>The conformance suite over SQLite, and what only SQLite has to show.</summary>
public sealed class SqliteJobStoreTests : JobStoreConformance
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override async Task<Stores> OpenAsync(int window)
    {
        if (_database is not null)
            await _database.DisposeAsync();
        _database = SqliteDatabase.Open(_folder.Path);
        var options = new StoreOptions { Path = _folder.Path, Window = window };
        var insert = new SqliteInsert(options, Time);
        return new Stores(
            new SqliteJobStore(_database, insert, Time), new SqliteDispatchStore(_database, options, Time), new SqliteClaimStore(_database, Time),
            new SqliteRepairStore(_database, Time), new SqliteAnnouncementStore(_database, Time), new SqliteSecretStore(_database),
            new SqliteQueueStore(_database, Time), new SqliteReplayStore(_database, insert, Time), new SqliteDeadLetterStore(_database, Time),
            new SqliteKeyStore(_database, Time), new SqliteAuditStore(_database, Time), new SqliteRateStore(_database, Time),
            new SqliteModelStore(_database, Time));
    }

    public override async ValueTask DisposeAsync()
    {
        if (_database is not null)
            await _database.DisposeAsync();
        _folder.Dispose();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Given_a_burst_of_jobs_When_added_Then_they_share_commits()
    {
        await AddAsync(New());
        var before = Commits();

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)));

        Assert.InRange(Commits() - before, 1, 25);
    }

    [Fact]
    public async Task Given_an_answered_add_When_the_files_are_copied_as_a_crash_leaves_them_Then_the_job_is_in_the_copy()
    {
        var job = await AddAsync(New());
        using var copy = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(_folder.Path).Where(f => !f.EndsWith("-shm", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));

        await using var database = SqliteDatabase.Open(copy.Path);

        Assert.NotNull(await new SqliteJobStore(database, new SqliteInsert(new StoreOptions(), Time), Time).ReadAsync("a", job.Id, Cancellation));
    }

    [Fact]
    public async Task Given_purged_and_deleted_jobs_When_looked_for_in_the_file_Then_their_inputs_and_results_are_gone()
    {
        var purged = await RunningAsync(New() with { ResultTtl = TimeSpan.FromMinutes(1) });
        await SucceedAsync(purged, 1);
        var deleted = await RunningAsync(New());
        await SucceedAsync(deleted, 1);
        var kept = await AddAsync(New());
        Assert.Equal((3L, 2L), (Count("job_inputs"), Count("job_results")));

        await Store.Jobs.DeleteAsync("a", deleted.Id, Cancellation);
        await PassAsync(TimeSpan.FromMinutes(1));
        await PurgeAsync(TimeSpan.FromDays(1));

        Assert.Equal((1L, 0L, 2L), (Count("job_inputs"), Count("job_results"), Count("jobs")));
        Assert.Equal(JobState.Queued, (await ReadAsync(kept.Id)).State);
    }

    private long Count(string table)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_folder.Path, "millrace.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = table switch
        {
            "jobs" => "SELECT COUNT(*) FROM jobs",
            "job_inputs" => "SELECT COUNT(*) FROM job_inputs",
            _ => "SELECT COUNT(*) FROM job_results",
        };
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Counts the frames of the write-ahead log that end a transaction.</summary>
    /// <remarks>Source: SQLite, "WAL file format": a header of 32 bytes, then frames of 24 bytes and a page;
    /// bytes 4 to 7 are not 0 in a commit's last frame.</remarks>
    private int Commits()
    {
        using var stream = new FileStream(Path.Combine(_folder.Path, "millrace.db-wal"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var log = new byte[stream.Length];
        stream.ReadExactly(log);
        var page = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(log.AsSpan(8));
        var commits = 0;
        for (var at = 32; at + 24 + page <= log.Length; at += 24 + page)
            commits += System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(log.AsSpan(at + 4)) != 0 ? 1 : 0;
        return commits;
    }
}
