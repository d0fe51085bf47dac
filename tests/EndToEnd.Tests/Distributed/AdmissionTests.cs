using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>What holds over replicas: quotas, keys, and the record of who did what.</summary>
public sealed class AdmissionTests(PostgresFixture postgres, RabbitFixture rabbit) : IAsyncLifetime
{
    private const int Limit = 100;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(3);
    private Cluster _cluster = null!;

    public ValueTask InitializeAsync()
    {
        _cluster = new Cluster(rabbit.Url, postgres.NewSchema(), Repository.TestModels);
        _cluster.Settings.Add("Logging:LogLevel:Default=Error");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    [Attack(25)]
    public async Task Given_two_replicas_When_one_key_hammers_both_Then_each_window_lets_its_quota_pass_and_no_more_also_when_one_is_killed()
    {
        var apis = await StartAsync($"Millrace:RateLimit:Requests={Limit}", $"Millrace:RateLimit:Window={Window:c}", "Millrace:RateLimit:TenantRequests=0");
        using var admin = await apis[0].Client.CloseAsync();
        using var client = await admin.MakeKeyAsync("a", "read");
        using var other = apis[1].Client.WithKey(client.Shown());
        await KnowsKeysAsync(apis[1]);

        var passes = await HammerAsync([client, other], 5);
        var whole = WholeWindows(passes);
        Assert.True(whole.Length >= 2);
        foreach (var window in whole)
        {
            var surely = passes.Count(p => p.Sent >= window && p.Answered < window + Window);
            var perhaps = passes.Count(p => p.Answered >= window && p.Sent < window + Window);
            Assert.True(surely <= Limit && perhaps >= Limit * 0.95, $"{surely} to {perhaps} passed");
        }
        var all = passes.Count(p => p.Sent >= whole[0] && p.Answered < whole[^1] + Window); // calls at the edges of single windows are counted here too
        Assert.True(all <= whole.Length * Limit, $"{all} passed in {whole.Length} windows");

        apis[1].Signal(MillraceProcess.Kill); // with what it had leased of this window
        await apis[1].ExitAsync();
        var alone = await HammerAsync([client], 3);
        Assert.All(WholeWindows(alone), window =>
        {
            Assert.True(alone.Count(p => p.Sent >= window && p.Answered < window + Window) <= Limit);
            Assert.True(alone.Count(p => p.Answered >= window && p.Sent < window + Window) >= Limit * 0.95);
        });
    }

    [Fact]
    [Attack(2)]
    public async Task Given_a_key_made_and_revoked_at_one_replica_When_shown_to_the_other_Then_it_works_and_then_it_does_not()
    {
        var apis = await StartAsync([.. Keys.Unlimited]);
        using var admin = await apis[0].Client.CloseAsync();
        using var client = await admin.MakeKeyAsync("a", "read");
        using var other = apis[1].Client.WithKey(client.Shown());
        await KnowsKeysAsync(apis[1]);
        await Waiting.UntilAsync(async () => (await other.FetchAsync("/v2/models")).Status == 200, "the other replica knows the key", 50);

        (await admin.AskAsync(HttpMethod.Delete, $"/v1/keys/{client.Shown()[3..15]}")).MustBe(204);

        (await client.FetchAsync("/v2/models")).MustBe(401, "unauthorized");
        await Waiting.UntilAsync(async () => (await other.FetchAsync("/v2/models")).Status == 401, "the other replica knows that it is revoked", 50);
    }

    [Fact]
    public async Task Given_privileged_actions_When_a_replica_is_killed_among_them_Then_each_that_was_done_has_one_record_and_no_other_has()
    {
        var apis = await StartAsync([.. Keys.Unlimited]);
        using var admin = await apis[0].Client.CloseAsync();
        using var other = apis[1].Client.WithKey(admin.Shown());
        await KnowsKeysAsync(apis[1]);
        var answered = new ConcurrentBag<string>();
        var acting = Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                while (true)
                {
                    var made = await admin.PostAsync("/v1/keys", new { name = "x", roles = new[] { "read" } });
                    answered.Add((string)made.MustBe(201).Json["id"]!);
                }
            }
            catch (HttpRequestException) { } // it was killed
        }).ToArray();
        await Waiting.UntilAsync(() => answered.Count >= 100, "it is busy");
        apis[0].Signal(MillraceProcess.Kill);
        await Task.WhenAll(acting);

        var made = (await other.FetchAsync("/v1/keys")).MustBe(200).Json["data"]!.AsArray().Select(k => (string)k!["id"]!).ToArray();
        await Waiting.UntilAsync(async () => (made = (await other.FetchAsync("/v1/keys")).MustBe(200).Json["data"]!.AsArray().Select(k => (string)k!["id"]!).ToArray()).Length > answered.Count, "the other replica has read them all");
        var recorded = (await AuditAsync(other)).Where(r => (string)r["action"]! == "key.create").Select(r => (string)r["target"]!).Order().ToArray();
        Assert.Equal(made.Order(), recorded);
        Assert.Subset(recorded.ToHashSet(), answered.ToHashSet());
    }

    /// <summary>It is not open any more.</summary>
    private static Task KnowsKeysAsync(MillraceProcess api) => Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models")).Status == 401, "the other replica knows that there are keys", 50);

    private async Task<MillraceProcess[]> StartAsync(params string[] settings) => [await _cluster.StartApiAsync(settings), await _cluster.StartApiAsync(settings)];

    /// <summary>Calls as fast as answers come, over so many windows; those that passed.</summary>
    private static async Task<IReadOnlyList<(DateTimeOffset Sent, DateTimeOffset Answered)>> HammerAsync(HttpClient[] clients, int windows)
    {
        var passes = new ConcurrentBag<(DateTimeOffset, DateTimeOffset)>();
        var until = TimeProvider.System.GetUtcNow() + (windows * Window);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async at =>
        {
            while (TimeProvider.System.GetUtcNow() is var sent && sent < until)
            {
                var answer = await clients[at % clients.Length].FetchAsync("/v2/models");
                Assert.True(answer.Status is 200 or 429, answer.Text);
                if (answer.Status == 200)
                    passes.Add((sent, TimeProvider.System.GetUtcNow()));
            }
        }));
        return [.. passes];
    }

    /// <summary>Beginnings of the windows that lie wholly within the calls; the store's clock is this machine's.</summary>
    private static DateTimeOffset[] WholeWindows(IReadOnlyList<(DateTimeOffset Sent, DateTimeOffset Answered)> passes)
    {
        var first = passes.Min(p => p.Sent);
        var last = passes.Max(p => p.Answered);
        var start = first + Window - TimeSpan.FromTicks(first.UtcTicks % Window.Ticks);
        return Enumerable.Range(0, 100).Select(at => start + (at * Window)).TakeWhile(w => w + Window <= last).ToArray();
    }

    private static async Task<List<JsonNode>> AuditAsync(HttpClient admin)
    {
        var records = new List<JsonNode>();
        for (var cursor = "?limit=200"; ;)
        {
            var page = (await admin.FetchAsync($"/v1/audit{cursor}")).MustBe(200).Json;
            records.AddRange(page["data"]!.AsArray()!);
            if ((string?)page["next_cursor"] is not { } next)
                return records;
            cursor = $"?limit=200&cursor={next}";
        }
    }
}
