using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>Every real scan gets the label that ONNX Runtime gives when it is called directly.</summary>
public sealed class DigitsTests : IAsyncLifetime
{
    private static readonly Lazy<long[]> Expected = new(RunDirectly);
    private MillraceServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await MillraceServer.StartAsync(Repository.Models);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Given_all_digits_When_sent_one_by_one_Then_the_labels_are_ONNX_Runtimes_own()
    {
        var labels = new List<long>();
        foreach (var scan in Digits.Scans)
            labels.Add(await InferAsync(scan));
        Assert.Equal(Expected.Value, labels);
    }

    [Fact]
    public async Task Given_all_digits_When_sent_32_at_once_Then_the_labels_are_ONNX_Runtimes_own()
    {
        var labels = new long[Digits.Scans.Count];
        await Parallel.ForAsync(0, labels.Length, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (at, _) => labels[at] = await InferAsync(Digits.Scans[at]));
        Assert.Equal(Expected.Value, labels);
    }

    [Fact]
    public async Task Given_all_digits_When_submitted_as_jobs_Then_the_labels_are_ONNX_Runtimes_own()
    {
        var labels = new long[Digits.Scans.Count];
        await Parallel.ForAsync(0, labels.Length, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (at, _) =>
        {
            var job = (await _server.Client.PostAsync("/v1/jobs", Bodies.Job("digits", Digits.Inference(Digits.Scans[at])))).MustBe(202);
            var ended = (await _server.Client.FetchAsync($"{job.Header("Location")}?wait=60")).MustBe(200);
            Assert.Equal("succeeded", (string?)ended.Json["state"]);
            labels[at] = Label((await _server.Client.FetchAsync($"{job.Header("Location")}/result")).MustBe(200).Json);
        });
        Assert.Equal(Expected.Value, labels);
    }

    private async Task<long> InferAsync(float[] scan) => Label((await _server.Client.PostAsync("/v2/models/digits/infer", Digits.Inference(scan))).MustBe(200).Json);

    private static long Label(JsonNode response) => (long)response["outputs"]!.AsArray().Single(o => (string?)o!["name"] == "label")!["data"]![0]!;

    private static long[] RunDirectly()
    {
        using var session = new InferenceSession(Path.Combine(Repository.Models, "digits", "1", "model.onnx"));
        return Digits.Scans.Select(scan =>
        {
            using var input = OrtValue.CreateTensorValueFromMemory(scan, [1, 8, 8]);
            using var outputs = session.Run(new RunOptions(), ["image"], [input], ["label"]);
            return outputs[0].GetTensorDataAsSpan<long>()[0];
        }).ToArray();
    }
}
