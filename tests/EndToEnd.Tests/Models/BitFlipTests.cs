using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests.Models;

/// <summary>Damaged models: the worker may refuse them, and must not fall.</summary>
public sealed class BitFlipTests
{
    private const int Flips = 200;

    [Fact]
    [Attack(42, 43)]
    public async Task Given_models_with_random_bits_flipped_When_they_are_loaded_Then_the_process_lives_and_serves_the_others()
    {
        var seed = int.Parse(Environment.GetEnvironmentVariable("MILLRACE_SEED") ?? $"{Random.Shared.Next()}", CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"MILLRACE_SEED={seed}");
        var random = new Random(seed);
        using var models = new LiveModels();
        using var data = new TemporaryFolder();
        models.Put("good", "1", "ident_fp32");
        var original = File.ReadAllBytes(Path.Combine(Repository.Models, "digits", "1", "model.onnx"));
        for (var flip = 1; flip <= Flips; flip++)
        {
            var bytes = original.ToArray();
            // Every second near the beginning or the end, where the graph is rather than the weights.
            var at = flip % 2 == 0 ? random.Next(bytes.Length) : random.Next(2) == 0 ? random.Next(2048) : bytes.Length - 1 - random.Next(2048);
            bytes[at] ^= (byte)(1 << random.Next(8));
            models.Put("flipped", $"{flip}", bytes);
        }
        models.Configure("flipped", """{"instances": 1}""");

        await using var process = await MillraceProcess.StartAsync($"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={models.Path}", "Logging:LogLevel:Default=Error");

        var index = (await process.Client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray();
        Assert.Equal(Flips, index.Count(e => (string?)e!["name"] == "flipped" && ((string?)e["state"]) is "READY" or "UNAVAILABLE"));
        foreach (var version in index.Where(e => (string?)e!["name"] == "flipped" && (string?)e["state"] == "READY").Take(20))
            await process.Client.PostAsync($"/v2/models/flipped/versions/{version!["version"]}/infer", Digits.Inference(Digits.Scans[0]));
        (await process.Client.PostAsync("/v2/models/good/infer", Bodies.In("FP32", 1))).MustBe(200);
        Assert.False(process.HasExited);
    }
}
