using Millrace.Storage.Postgres;
using Millrace.Tests.Support.Servers;

namespace Millrace.Storage.Tests;

public sealed class PostgresDatabaseTests(PostgresFixture server)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Given_a_new_schema_When_many_processes_start_at_once_Then_all_find_it_ready()
    {
        var options = new StoreOptions { Url = server.NewSchema(), AllowNotDurable = true };
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            await using var database = PostgresDatabase.Open(options);
            await database.MigrateAsync(Cancellation);
            await using var jobs = new PostgresJobStore(database, options);
            Assert.Empty(await jobs.ReadQueuesAsync(null, Cancellation));
        }));
    }

    [Theory]
    [InlineData("fsync")]
    [InlineData("synchronous_commit")]
    [InlineData("full_page_writes")]
    public async Task Given_a_server_that_would_lose_commits_When_checked_Then_it_is_refused_by_the_name_of_the_setting(string setting)
    {
        await using var own = await LocalServer.StartPostgresAsync(setting);
        var url = $"postgres://postgres@127.0.0.1:{own.Port}/postgres";
        await using var database = PostgresDatabase.Open(new StoreOptions { Url = url });
        var error = await Assert.ThrowsAsync<StoreNotDurableException>(() => database.CheckDurableAsync(Cancellation));
        Assert.Contains(setting, error.Message);
        Assert.Contains("Millrace:Store:AllowNotDurable", error.Message);
        await using var allowed = PostgresDatabase.Open(new StoreOptions { Url = url, AllowNotDurable = true });
        await allowed.CheckDurableAsync(Cancellation);
    }

    [Theory]
    [InlineData("nonsense", "postgres://")]
    [InlineData("mysql://db", "postgres://")]
    [InlineData("postgres://db/d?nosuch=1", "nosuch")]
    [InlineData("postgres://db/d?timeout=soon", "timeout")]
    public void Given_an_address_that_cannot_be_read_When_opened_Then_it_says_what_is_wrong(string url, string said) =>
        Assert.Contains(said, Assert.Throws<FormatException>(() => PostgresDatabase.Open(new StoreOptions { Url = url })).Message);

    [Fact]
    public async Task Given_a_server_that_dies_When_used_Then_it_is_unavailable_and_works_again_when_it_is_back()
    {
        await using var own = await LocalServer.StartPostgresAsync();
        var options = new StoreOptions { Url = $"postgres://postgres@127.0.0.1:{own.Port}/postgres", AllowNotDurable = true };
        await using var database = PostgresDatabase.Open(options);
        await database.MigrateAsync(Cancellation);
        await using var jobs = new PostgresJobStore(database, options);
        Assert.Empty(await jobs.ReadQueuesAsync(null, Cancellation));

        await own.KillAsync();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => jobs.ReadQueuesAsync(null, Cancellation));

        await own.StartAsync();
        await Millrace.Tests.Support.Waiting.UntilAsync(async () =>
        {
            try { return (await jobs.ReadQueuesAsync(null, Cancellation)).Count == 0; }
            catch (StoreUnavailableException) { return false; } // it recovers what it had not written
        }, "the database answers again");
    }
}
