using System.Text.RegularExpressions;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Lists: pages that hold each job once, cursors that fit one list, filters that are exact.</summary>
public sealed partial class ListJobsTests(ServerFixture fixture)
{
    private readonly string _run = Guid.NewGuid().ToString("N");

    private async Task<string[]> SubmitAsync(int count) =>
        await Task.WhenAll(Enumerable.Range(0, count)
            .Select(_ => fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["metadata"] = new { run = _run })));

    private async Task<string[]> IdsAsync(string query) => Ids((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}{query}")).MustBe(200));

    private static string[] Ids(Answer answer) => answer.Json["data"]!.AsArray().Select(j => (string)j!["id"]!).ToArray();

    [Fact]
    [Conformance(66)]
    public async Task Given_120_jobs_When_paged_by_50_Then_each_comes_once_newest_first_and_Link_agrees()
    {
        var ids = await SubmitAsync(120);
        var pages = new List<string[]>();
        var path = $"/v1/jobs?metadata.run={_run}&limit=50";
        while (true)
        {
            var page = (await fixture.Client.FetchAsync(path)).MustBe(200);
            pages.Add(Ids(page));
            if ((string?)page.Json["next_cursor"] is not { } cursor)
            {
                Assert.Null(page.Header("Link"));
                break;
            }
            Assert.Matches("^[A-Za-z0-9._~-]+$", cursor);
            var byCursor = await IdsAsync($"&limit=50&cursor={cursor}");
            path = Link().Match(page.Header("Link")!).Groups[1].Value;
            Assert.Equal(byCursor, Ids(await fixture.Client.FetchAsync(path)));
        }

        Assert.Equal([50, 50, 20], pages.Select(p => p.Length));
        var all = pages.SelectMany(p => p).ToArray();
        Assert.Equal(ids.Order(StringComparer.Ordinal), all.Order(StringComparer.Ordinal));
        var list = (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}&limit=200")).Json["data"]!.AsArray();
        var times = list.Select(j => j!.Time("created_at")).ToArray();
        Assert.Equal(times.OrderDescending(), times);
        Assert.Equal(all.Reverse(), await IdsAsync("&limit=200&order=asc"));
    }

    [Fact]
    [Conformance(67)]
    public async Task Given_limits_When_listed_Then_0_is_the_default_and_too_much_is_clamped()
    {
        var ids = await SubmitAsync(210);
        Assert.Equal(50, (await IdsAsync("")).Length);
        Assert.Equal(50, (await IdsAsync("&limit=0")).Length);
        Assert.Equal(200, (await IdsAsync("&limit=1000")).Length);
        Assert.Equal(200, (await IdsAsync("&limit=99999999999")).Length);
        Assert.Single(await IdsAsync("&limit=1"));
        Assert.Equal(210, ids.Distinct().Count());
        foreach (var limit in new[] { "-1", "x", "", "1.5" })
            (await fixture.Client.FetchAsync($"/v1/jobs?limit={limit}")).MustBe(400, "invalid_request");
    }

    [Fact]
    [Conformance(67)]
    public async Task Given_a_cursor_When_filters_or_order_or_a_letter_of_it_change_Then_400_and_another_limit_is_fine()
    {
        await SubmitAsync(5);
        var cursor = (string)(await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}&limit=2")).Json["next_cursor"]!;
        Assert.Equal(3, (await IdsAsync($"&limit=10&cursor={cursor}")).Length);

        foreach (var other in new[] { "&order=asc", "&state=succeeded", "&model=ident_fp32", "&priority=5", "&created_after=2020-01-01T00:00:00Z",
            "&created_before=2999-01-01T00:00:00Z", "&metadata.more=x", "&replay_of=job_00000000000000000000000000" })
            (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}{other}&limit=2&cursor={cursor}")).MustBe(400, "invalid_cursor");
        (await fixture.Client.FetchAsync($"/v1/jobs?limit=2&cursor={cursor}")).MustBe(400, "invalid_cursor");
        (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run=other&cursor={cursor}")).MustBe(400, "invalid_cursor");
        for (var at = 0; at < cursor.Length; at += 5)
        {
            var edited = string.Concat(cursor.AsSpan(0, at), cursor[at] == 'A' ? "B" : "A", cursor.AsSpan(at + 1));
            (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}&limit=2&cursor={edited}")).MustBe(400, "invalid_cursor");
        }
        foreach (var nonsense in new[] { "x", "%00", cursor[..^2], cursor + "AA", new string('A', 5000) })
            (await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={_run}&limit=2&cursor={nonsense}")).MustBe(400, "invalid_cursor");
    }

    [Theory]
    [Conformance(67)]
    [InlineData("/v1/jobs?nope=1")]
    [InlineData("/v1/jobs?metadata=1")]
    [InlineData("/v1/jobs?State=failed")]
    [InlineData("/v1/jobs?state=done")]
    [InlineData("/v1/jobs?order=up")]
    [InlineData("/v1/jobs?priority=x")]
    [InlineData("/v1/jobs?created_after=yesterday")]
    [InlineData("/v1/jobs?replay_of=x")]
    [InlineData("/v1/queues?nope=1")]
    public async Task Given_an_unknown_name_or_value_When_listed_Then_400(string path) =>
        (await fixture.Client.FetchAsync(path)).MustBe(400, "invalid_request");

    [Fact]
    [Conformance(68)]
    public async Task Given_jobs_that_differ_When_filtered_Then_the_sets_are_exact()
    {
        async Task<string> OneAsync(string model, object metadata, int attempts = 1, int priority = 5)
        {
            var id = await fixture.Client.SubmitAsync(
                model, JobCalls.Fast, m => (m["metadata"], m["max_attempts"], m["priority"]) = (metadata, attempts, priority));
            await fixture.Client.EndAsync(id);
            return id;
        }

        var good = await OneAsync("ident_fp32", new { run = _run, color = "red" });
        var failed = await OneAsync("bad", new { run = _run, color = "red" });
        var blue = await OneAsync("ident_fp32", new { run = _run, color = "blue & green" }, priority: 2);
        var later = TimeProvider.System.GetUtcNow().AddHours(1).ToString("O");
        var canceled = await fixture.Client.SubmitAsync(
            "ident_fp32", JobCalls.Fast, m => (m["metadata"], m["not_before"]) = (new { run = _run }, later));
        await fixture.Client.CancelAsync(canceled);
        var created = (string)(await fixture.Client.ReadAsync(failed))["created_at"]!;

        Assert.Equal([canceled, blue, failed, good], await IdsAsync(""));
        Assert.Equal([failed], await IdsAsync("&state=failed"));
        Assert.Equal([canceled, failed], await IdsAsync("&state=failed&state=canceled"));
        Assert.Equal([failed], await IdsAsync("&model=bad"));
        Assert.Equal([blue], await IdsAsync("&priority=2"));
        Assert.Equal([canceled, blue], await IdsAsync($"&created_after={created}"));
        Assert.Equal([good], await IdsAsync($"&created_before={created}"));
        Assert.Equal([failed, good], await IdsAsync("&metadata.color=red"));
        Assert.Equal([blue], await IdsAsync("&metadata.color=blue%20%26%20green"));
        Assert.Equal([good], await IdsAsync("&metadata.color=red&model=ident_fp32&state=succeeded&state=failed"));
        Assert.Empty(await IdsAsync("&metadata.color=red&priority=2"));
        Assert.Empty(await IdsAsync("&metadata.color=Red"));
        Assert.Empty(await IdsAsync($"&replay_of={good}"));
    }

    [GeneratedRegex("^<([^>]+)>; rel=\"next\"$")]
    private static partial Regex Link();
}
