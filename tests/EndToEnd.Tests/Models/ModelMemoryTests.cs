using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests.Models;

/// <summary>What a large model takes goes back to the system with it.</summary>
public sealed class ModelMemoryTests
{
    private const int Elements = 32 << 20; // 128 MiB of FP32

    [Fact]
    public async Task Given_a_large_model_When_it_is_unloaded_Then_its_memory_goes_back()
    {
        using var models = new LiveModels();
        using var data = new TemporaryFolder();
        models.Put("small", "1", "ident_fp32");
        await using var process = await MillraceProcess.StartAsync(
            [$"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={models.Path}", "Logging:LogLevel:Default=Warning", .. LiveModels.Quick]);
        var curve = new List<(string When, long Bytes)> { ("start", process.Memory()) };

        for (var round = 1; round <= 2; round++)
        {
            models.Put("large", "1", OnnxWriter.Gather(new float[Elements]));
            await process.Client.UntilIndexAsync("large", "1", "READY");
            (await process.Client.PostAsync("/v2/models/large/infer", Bodies.In("INT64", Elements - 1))).MustBe(200);
            var loaded = process.Memory();
            curve.Add(($"loaded {round}", loaded));
            Assert.True(loaded > curve[0].Bytes + (sizeof(float) * (long)Elements / 2), Curve());

            models.Remove("large", "1");
            await process.Client.UntilIndexAsync("large", "1", "");
            try { await Waiting.UntilAsync(() => process.Memory() < loaded - (sizeof(float) * (long)Elements / 2), "half of its memory is back"); }
            finally
            {
                curve.Add(($"unloaded {round}", process.Memory()));
                TestContext.Current.TestOutputHelper?.WriteLine(Curve());
            }
        }

        string Curve() => string.Join(", ", curve.Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.When}: {c.Bytes >> 20} MiB")));
    }
}
