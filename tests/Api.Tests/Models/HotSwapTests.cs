using System.Collections.Concurrent;
using System.Globalization;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>Versions are swapped under load.</summary>
public sealed class HotSwapTests : IDisposable
{
    private const int Clients = 32;

    /// <summary>A hundred take a minute or two: MILLRACE_SWAPS=100.</summary>
    private static readonly int Swaps = int.Parse(Environment.GetEnvironmentVariable("MILLRACE_SWAPS") ?? "20", CultureInfo.InvariantCulture);

    private readonly LiveModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Given_clients_that_call_without_a_pause_When_versions_are_swapped_Then_no_call_fails_and_none_is_answered_by_a_version_that_is_not_ready()
    {
        _models.Put("stepper", "1", "stepper", "1");
        _models.Put("stepper", "1000000", "cold"); // the newest, and never ready
        _models.Configure("stepper", """{"version_policy": {"latest": {"num_versions": 1}}, "instances": 2}""");
        await using var server = await _models.StartAsync("Millrace:Models:UnloadDelay=00:00:02");
        var gone = new ConcurrentDictionary<string, bool>();
        var answers = new ConcurrentDictionary<string, int>();
        using var end = new CancellationTokenSource();
        var clients = Enumerable.Range(0, Clients).Select(n => Task.Run(() => CallAsync(server.Client, n, gone, answers, end.Token))).ToArray();

        await Waiting.UntilAsync(() => answers.ContainsKey("1") || clients.Any(c => c.IsCompleted), "the first version answers", 60);
        var version = 1;
        for (var swap = 0; swap < Swaps && !clients.Any(c => c.IsCompleted); swap++)
        {
            if (swap % 2 == 0)
            {
                var old = $"{version}";
                _models.Put("stepper", $"{++version}", "stepper", "2");
                await Waiting.UntilAsync(() => answers.ContainsKey($"{version}") || clients.Any(c => c.IsCompleted), $"version {version} answers", 60);
                await server.Client.UntilIndexAsync("stepper", old, "");
                gone[old] = true;
            }
            else
            {
                _models.Put("stepper", $"{version}", "stepper", "1");
                var hash = LiveModels.Fixture("stepper", "1").Sha256();
                await Waiting.UntilAsync(async () => await server.Client.HashAsync("stepper", $"{version}") == hash, "the other file serves", 60);
            }
        }

        await end.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal(1 + ((Swaps + 1) / 2), answers.Count);
        TestContext.Current.TestOutputHelper?.WriteLine($"{Swaps} swaps, {answers.Values.Sum()} answers, 0 failures");
    }

    private static async Task CallAsync(HttpClient client, int number, ConcurrentDictionary<string, bool> gone, ConcurrentDictionary<string, int> answers, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var before = gone.Keys.ToHashSet();
            var answer = (await client.PostAsync("/v2/models/stepper/infer", Bodies.In("FP32", number))).MustBe(200).Json;
            var version = (string)answer["model_version"]!;
            Assert.DoesNotContain(version, before);
            Assert.NotEqual("1000000", version);
            Assert.InRange((float)answer["outputs"]![0]!["data"]![0]! - number, 1, 2);
            answers.AddOrUpdate(version, 1, (_, count) => count + 1);
        }
    }
}
