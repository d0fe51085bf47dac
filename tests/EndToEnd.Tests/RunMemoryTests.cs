using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>The limit belongs to a process, so it has one of its own.</summary>
public sealed class RunMemoryTests
{
    [Fact]
    [Attack(21, 43)]
    public async Task Given_runs_that_grow_without_end_When_they_pass_the_limit_Then_they_fail_and_nothing_else_does()
    {
        using var data = new TemporaryFolder();
        await using var server = await MillraceProcess.StartAsync($"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", "Millrace:Models:Names=expand,rows",
            "Millrace:Worker:MaxRunBytes=67108864", "Millrace:Worker:Backoff=00:00:00.010", "Logging:LogLevel:Default=Error");
        var before = server.Memory();

        foreach (var elements in (long[])[1L << 28, 1L << 40, long.MaxValue])
        {
            var answer = await server.Client.PostAsync("/v2/models/expand/infer", Bodies.Infer(Bodies.Tensor("IN", "INT64", [1], new[] { elements })));
            Assert.True(answer.Status is 400 or 500, $"{elements}: {answer.Status} {answer.Text}");
            (await server.Client.PostAsync("/v2/models/rows/infer", Bodies.Infer(Bodies.Tensor("IN", "FP32", [1, 4], new[] { 1f, 2f, 3f, 4f })))).MustBe(200);
        }
        var job = (await server.Client.PostAsync("/v1/jobs", Bodies.Job("expand", Bodies.Infer(Bodies.Tensor("IN", "INT64", [1], new[] { 1L << 28 }))), ("Prefer", "wait=30"))).MustBe(200);

        Assert.Equal(("failed", "out_of_memory"), ((string?)job.Json["state"], (string?)job.Json["error"]!["code"]));
        Assert.True(server.Memory() < before + (256 << 20), $"{before} bytes became {server.Memory()}.");
    }
}
