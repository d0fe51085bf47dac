using Microsoft.Extensions.DependencyInjection;
using Millrace.Storage.Models;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>Triton's statistics.</summary>
public sealed class StatisticsTests
{
    [Fact]
    public async Task Given_reports_of_workers_When_read_Then_they_are_summed_in_Triton_s_form_and_an_uncalled_version_counts_nothing()
    {
        await using var server = await MillraceServer.StartAsync();
        var store = server.Services.GetRequiredService<IModelStore>();
        foreach (var worker in (string[])["w1", "w2"])
            await store.ReportAsync(worker, [Counted("stepper", "1", 3), Counted("gone", "1", 1)], TestContext.Current.CancellationToken);

        var stats = (await server.Client.FetchAsync("/v2/models/stepper/stats")).MustBe(200).Json["model_stats"]!.AsArray();

        Assert.Equal(["1", "2"], stats.Select(s => (string?)s!["version"]));
        Assert.Equal("""
            {"name":"stepper","version":"1","last_inference":1700000000000,"inference_count":6,"execution_count":2,"inference_stats":{"success":{"count":2,"ns":20},
            "fail":{"count":0,"ns":0},"queue":{"count":2,"ns":2},"compute_input":{"count":2,"ns":4},"compute_infer":{"count":2,"ns":6},"compute_output":{"count":2,"ns":8},
            "cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},"batch_stats":[{"batch_size":3,"compute_input":{"count":2,"ns":4},"compute_infer":{"count":2,"ns":6},
            "compute_output":{"count":2,"ns":8}}],"response_stats":{},"memory_usage":[{"type":"CPU","id":0,"byte_size":1000000}]}
            """.ReplaceLineEndings(""), stats[0]!.ToJsonString());
        Assert.Equal((0, 0), ((int)stats[1]!["inference_count"]!, (int)stats[1]!["inference_stats"]!["success"]!["count"]!));
        Assert.Equal("2", (string?)Assert.Single((await server.Client.FetchAsync("/v2/models/stepper/versions/2/stats")).MustBe(200).Json["model_stats"]!.AsArray())!["version"]);
    }

    [Fact]
    [Conformance(23, 34)]
    public async Task Given_all_models_When_their_statistics_are_read_Then_each_version_is_there_and_nothing_is_encoded()
    {
        await using var server = await MillraceServer.StartAsync();
        var answer = (await server.Client.FetchAsync("/v2/models/stats", ("Accept-Encoding", "gzip"))).MustBe(200);
        Assert.Null(answer.Header("Content-Encoding"));
        var names = answer.Json["model_stats"]!.AsArray().Select(s => $"{s!["name"]}/{s["version"]}").ToArray();
        var folders = Directory.GetFiles(Repository.TestModels, "model.onnx", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Repository.TestModels, Path.GetDirectoryName(f)!));
        Assert.Equal(folders.Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Given_a_model_of_another_tenant_or_an_unknown_one_When_asked_for_Then_it_is_not_there()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Access:Models:pair=a"]);
        using var admin = await server.Client.CloseAsync();
        using var b = await admin.MakeKeyAsync("b", "read");
        foreach (var path in (string[])["pair/stats", "pair/versions/1/stats", "pair/config", "nope/stats", "stepper/versions/3/stats"])
            (await b.FetchAsync($"/v2/models/{path}")).MustBe(404, "model_not_found");
        Assert.DoesNotContain("\"pair\"", (await b.FetchAsync("/v2/models/stats")).MustBe(200).Text, StringComparison.Ordinal);
        using var a = await admin.MakeKeyAsync("a", "submit");
        (await a.FetchAsync("/v2/models/pair/stats")).MustBe(200);
    }

    private static VersionStatistics Counted(string model, string version, int rows) => new()
    {
        Model = model,
        Version = version,
        LastInference = 1_700_000_000_000,
        InferenceCount = rows,
        ExecutionCount = 1,
        Success = new CountAndTime(1, 10),
        Queue = new CountAndTime(1, 1),
        ComputeInput = new CountAndTime(1, 2),
        ComputeInfer = new CountAndTime(1, 3),
        ComputeOutput = new CountAndTime(1, 4),
        Batches = [new BatchStatistics(rows, new CountAndTime(1, 2), new CountAndTime(1, 3), new CountAndTime(1, 4))],
        MemoryBytes = 1_000_000,
    };
}
