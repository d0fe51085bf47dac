using Millrace.Storage.Jobs;
using Millrace.Storage.Postgres;
using Millrace.Tests.Support.Servers;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Millrace.Storage.Tests;

/// <summary>The conformance suite over PostgreSQL, and what only it has to show. The store's clock is a table, which goes as the test's does.</summary>
public sealed class PostgresJobStoreTests(PostgresFixture server) : JobStoreConformance
{
    private readonly string _url = server.NewSchema();
    private PostgresDatabase? _database;
    private PostgresJobStore? _jobs;
    private bool _clockIsSet;

    protected override async Task<Stores> OpenAsync(int window)
    {
        await CloseAsync();
        (_database, var stores) = await ConnectAsync(window);
        _jobs = (PostgresJobStore)stores.Jobs;
        if (!_clockIsSet)
        {
            await ExecuteAsync("CREATE TABLE test_clock (now timestamptz NOT NULL); INSERT INTO test_clock VALUES ('2030-01-31T12:00:00Z');"
                + "CREATE OR REPLACE FUNCTION store_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM test_clock'");
        }
        _clockIsSet = true;
        return stores;
    }

    protected override async Task PassAsync(TimeSpan time)
    {
        await base.PassAsync(time);
        await ExecuteAsync($"UPDATE test_clock SET now = '{Time.GetUtcNow():O}'");
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Given_a_burst_of_jobs_When_added_Then_they_share_commits()
    {
        await AddAsync(New());
        var added = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Store.Jobs.AddAsync(New(), Cancellation)));
        Assert.Equal(50, added.OfType<AddOutcome.Added>().Count());
        Assert.InRange((long)(await ExecuteAsync("SELECT count(DISTINCT xmin::text) FROM jobs"))!, 2, 26);
    }

    [Fact]
    public async Task Given_two_replicas_When_one_key_comes_to_both_at_once_Then_there_is_one_job()
    {
        var (database, other) = await ConnectAsync(1000);
        await using var closing = database;
        await using var jobs = (PostgresJobStore)other.Jobs;
        for (var round = 0; round < 20; round++)
        {
            var key = Key($"k{round}");
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(at => (at % 2 == 0 ? Store : other).Jobs.AddAsync(New() with { Key = key }, Cancellation)));
            var made = Assert.Single(outcomes.OfType<AddOutcome.Added>()).Job;
            Assert.All(outcomes.OfType<AddOutcome.Replayed>(), o => Assert.Equal(made.Id, o.Job.Id));
            Assert.Equal(9, outcomes.OfType<AddOutcome.Replayed>().Count());
        }
        Assert.Equal(20L, await ExecuteAsync("SELECT count(*) FROM jobs"));
    }

    [Fact]
    public async Task Given_a_claim_that_waited_for_a_lock_When_it_has_it_Then_the_lease_is_whole()
    {
        await ExecuteAsync("CREATE OR REPLACE FUNCTION store_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'");
        var job = await AddAsync(New());
        var claim = await ClaimOneAsync(job);
        await using var blocker = NpgsqlDataSource.Create(ConnectionString());
        await using var connection = await blocker.OpenConnectionAsync(Cancellation);
        var transaction = await connection.BeginTransactionAsync(Cancellation);
        await using (var hold = new NpgsqlCommand("SELECT 1 FROM jobs FOR UPDATE", connection))
            await hold.ExecuteNonQueryAsync(Cancellation);

        var renewal = Store.Claims.RenewAsync([(claim.Id, claim.Fence)], Lease, Cancellation);
        await Millrace.Tests.Support.Waiting.UntilAsync(async () => (long)(await ExecuteAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))! > 0, "the renewal waits");
        await ExecuteAsync("SELECT pg_sleep(1)"); // time that the renewal loses to the lock, on the database's own clock
        await transaction.RollbackAsync(Cancellation);

        Assert.Empty(await renewal);
        var left = (double)(await ExecuteAsync("SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM jobs"))!;
        Assert.InRange(left, Lease.TotalSeconds - 0.9, Lease.TotalSeconds);
    }

    [Fact]
    public async Task Given_a_database_without_our_schema_When_used_Then_it_is_unavailable_until_it_is_migrated()
    {
        var options = new StoreOptions { Url = server.NewSchema(), AllowNotDurable = true };
        await using var database = PostgresDatabase.Open(options);
        await using var jobs = new PostgresJobStore(database, options);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => jobs.AddAsync(New(), Cancellation));
        await database.MigrateAsync(Cancellation);
        Assert.IsType<AddOutcome.Added>(await jobs.AddAsync(New(), Cancellation));
    }

    private async Task<(PostgresDatabase, Stores)> ConnectAsync(int window)
    {
        var options = new StoreOptions { Url = _url, Window = window, AllowNotDurable = true };
        var database = PostgresDatabase.Open(options);
        await database.MigrateAsync(Cancellation);
        return (database, new Stores(
            new PostgresJobStore(database, options), new PostgresDispatchStore(database, options), new PostgresClaimStore(database),
            new PostgresRepairStore(database), new PostgresAnnouncementStore(database), new PostgresSecretStore(database),
            new PostgresQueueStore(database), new PostgresReplayStore(database, options), new PostgresDeadLetterStore(database),
            new PostgresKeyStore(database), new PostgresAuditStore(database), new PostgresRateStore(database), new PostgresModelStore(database)));
    }

    private async Task CloseAsync()
    {
        if (_jobs is not null)
            await _jobs.DisposeAsync();
        if (_database is not null)
            await _database.DisposeAsync();
    }

    private string ConnectionString()
    {
        var url = new Uri(_url);
        return $"Host={url.Host};Port={url.Port};Username={url.UserInfo.Split(':')[0]};Password={url.UserInfo.Split(':').ElementAtOrDefault(1)};Database=postgres;Search Path={_url[(_url.IndexOf("schema=", StringComparison.Ordinal) + 7)..]}";
    }

    private NpgsqlDataSource? _plain;

    private async Task<object?> ExecuteAsync(string sql)
    {
        _plain ??= NpgsqlDataSource.Create(ConnectionString());
        await using var command = _plain.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
