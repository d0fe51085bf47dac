using Microsoft.Data.Sqlite;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

public sealed class StoreLossTests
{
    [Fact]
    public async Task Given_a_database_that_is_locked_When_called_Then_jobs_are_503_and_sync_goes_on_and_both_work_afterwards()
    {
        using var data = new TemporaryFolder();
        await using var process = await MillraceProcess.StartAsync(
            $"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=None");
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(data.Path, "millrace.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            Execute(connection, "BEGIN IMMEDIATE");

            var refused = (await process.Client.PostAsync("/v1/jobs", Bodies.Job("pair", Pair()))).MustBe(503, "unavailable");
            Assert.True(int.Parse(refused.Header("Retry-After")!, System.Globalization.CultureInfo.InvariantCulture) >= 1);
            (await process.Client.PostAsync("/v2/models/pair/infer", Pair())).MustBe(200);
            (await process.Client.FetchAsync("/v2/health/live")).MustBe(200);

            Execute(connection, "ROLLBACK");
        }
        var job = (await process.Client.PostAsync("/v1/jobs", Bodies.Job("pair", Pair()), ("Prefer", "wait=30"))).MustBe(200);
        Assert.Equal("succeeded", (string?)job.Json["state"]);
        var all = (await process.Client.FetchAsync("/v1/jobs")).MustBe(200);
        Assert.Single(all.Json["data"]!.AsArray()); // what was refused left no row
    }

    private static object Pair() => Bodies.Infer(Bodies.Tensor("A", "FP32", [1, 4], new[] { 1, 2, 3, 4 }), Bodies.Tensor("B", "FP32", [1, 4], new[] { 1, 1, 1, 1 }));

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
