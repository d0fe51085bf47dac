using Microsoft.Data.Sqlite;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

public sealed class KillTests
{
    [Fact]
    [Conformance(79)]
    public async Task Given_2000_accepted_jobs_When_killed_and_started_again_Then_each_has_one_result()
    {
        using var data = new TemporaryFolder();
        var ledger = Path.Combine(data.Path, "ledger");
        string[] settings =
        [
            $"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", $"Millrace:Worker:RunLedger={ledger}",
            "Millrace:Worker:Lease=00:00:02", "Millrace:Store:Window=300", "Logging:LogLevel:Default=Error",
        ];
        var load = new JobLoad();
        await using (var first = await MillraceProcess.StartAsync(settings))
        {
            await load.SubmitAsync(first.Client, jobs: 1999, milliseconds: 4);
            await load.SubmitFirstAsync(first.Client, milliseconds: 3000); // long enough that the kill finds it in its run
            await Waiting.UntilAsync(() => Count(data, "state = 1 AND priority = 1") > 0, "the long job runs");
            first.Signal(MillraceProcess.Kill);
            Assert.NotEqual(0, await first.ExitAsync());
        }
        Assert.Equal(2000, load.Accepted.Count);
        Assert.True(Count(data, "state = 0") >= 500, $"Only {Count(data, "state = 0")} jobs were queued: the kill came too late to prove anything.");
        var running = Count(data, "state = 1");
        Assert.True(running >= 1, "No job was running at the kill.");

        await using var second = await MillraceProcess.StartAsync(settings);
        await load.MustAllSucceedAsync(second.Client);

        Assert.Equal(2000, Count(data, "state = 2"));
        Assert.Equal(2000, Count(data, "1", "jobs"));
        Assert.Equal(2000, Count(data, "1", "job_results"));
        var runs = RunLine.Read(ledger).Where(l => l.What == "start").SelectMany(l => l.Requests).ToArray();
        Assert.Equal(2000, runs.Select(r => r.Id).Distinct().Count());
        Assert.True(runs.Length <= 2000 + running, $"{runs.Length} runs for 2000 jobs, of which {running} were running at the kill.");
        Assert.Equal(runs.Length, runs.Select(r => (r.Id, r.Fence)).Distinct().Count());
    }

    private static long Count(TemporaryFolder data, string where, string table = "jobs")
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(data.Path, "millrace.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT COUNT(*) FROM {table} WHERE {where}";
        return (long)command.ExecuteScalar()!;
    }
}
