using Millrace.Api.Tests.Inference;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Access;

/// <summary>Two tenants on one server: neither sees, changes or guesses what is the other's.</summary>
public sealed class TenantTests : IAsyncLifetime
{
    private static readonly string[] Client = ["submit", "read"];
    private readonly List<HttpClient> _clients = [];
    private MillraceServer? _server;
    private HttpClient _admin = new();
    private HttpClient _a = new();
    private HttpClient _b = new();

    public async ValueTask InitializeAsync()
    {
        _server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Access:Models:pair=a,c"]);
        _clients.Add(_admin = await _server.Client.CloseAsync());
        _clients.Add(_a = await _admin.MakeKeyAsync("a", Client));
        _clients.Add(_b = await _admin.MakeKeyAsync("b", Client));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
            client.Dispose();
        await _server!.DisposeAsync();
    }

    [Fact]
    [Attack(7)]
    [Conformance(63)]
    public async Task Given_a_job_of_one_tenant_When_another_uses_its_id_Then_404_with_the_body_of_an_unknown_id_and_the_job_is_as_it_was()
    {
        var id = await _a.SubmitAsync("ident_fp32", JobCalls.Fast);
        await _a.EndAsync(id);
        var before = (await _a.FetchAsync($"/v1/jobs/{id}")).Text;
        var random = "job_" + new string('0', 9) + id[13..].ToLowerInvariant();
        foreach (var (method, path) in new[] { ("GET", ""), ("GET", "/result"), ("GET", "?wait=1"), ("POST", "/cancel"), ("POST", "/replay"), ("DELETE", "") })
        {
            var theirs = (await _b.AskAsync(new HttpMethod(method), $"/v1/jobs/{id}{path}", null, ("X-Request-Id", "same"))).MustBe(404, "job_not_found");
            var nobodys = (await _b.AskAsync(new HttpMethod(method), $"/v1/jobs/{random}{path}", null, ("X-Request-Id", "same"))).MustBe(404, "job_not_found");
            Assert.Equal(nobodys.Text.Replace(random, id, StringComparison.Ordinal), theirs.Text);
        }
        Assert.Empty((await _b.FetchAsync("/v1/jobs")).MustBe(200).Json["data"]!.AsArray());
        Assert.Empty((await _b.FetchAsync($"/v1/jobs?replay_of={id}")).MustBe(200).Json["data"]!.AsArray());
        var plan = (await _b.PostAsync("/v1/replays", new { filter = new { model = "ident_fp32", state = new[] { "succeeded" } }, dry_run = true })).MustBe(200);
        Assert.Equal(0, (int)plan.Json["matched"]!);
        Assert.Equal(before, (await _a.FetchAsync($"/v1/jobs/{id}")).Text);
    }

    [Fact]
    [Attack(7)]
    public async Task Given_a_key_of_one_tenant_s_request_When_another_sends_the_same_Then_each_has_a_job_of_its_own()
    {
        var first = await _a.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Idempotency-Key", "shared"));
        var second = await _b.SubmitAsync("ident_fp32", JobCalls.Fast, null, ("Idempotency-Key", "shared"));
        Assert.NotEqual(first, second);
        (await _b.FetchAsync($"/v1/jobs/{first}")).MustBe(404, "job_not_found");
    }

    [Fact]
    public async Task Given_failures_and_replays_of_one_tenant_When_another_looks_Then_there_are_none()
    {
        await _a.EndAsync(await _a.SubmitAsync("bad", JobCalls.Fast, m => m["max_attempts"] = 1));
        Assert.Single((await _a.FetchAsync("/v1/failures")).MustBe(200).Json["data"]!.AsArray());
        Assert.Empty((await _b.FetchAsync("/v1/failures")).MustBe(200).Json["data"]!.AsArray());
        var replay = (await _a.PostAsync("/v1/replays", new { filter = new { model = "bad" }, dry_run = false })).MustBe(202).Header("Location")!;
        (await _b.FetchAsync(replay)).MustBe(404, "not_found");
        (await _b.AskAsync(HttpMethod.Post, $"{replay}/cancel")).MustBe(404, "not_found");
        (await _a.FetchAsync(replay)).MustBe(200);
    }

    [Fact]
    public async Task Given_queued_jobs_of_two_tenants_When_the_queue_is_read_Then_each_sees_its_own_and_an_operator_all()
    {
        using var operating = await _admin.MakeKeyAsync("ops", "operate");
        (await operating.AskAsync(HttpMethod.Post, "/v1/queues/ident_int8/pause")).MustBe(200);
        for (var at = 0; at < 3; at++)
            await _a.SubmitAsync("ident_int8", Bodies.In("INT8", 1));
        await _b.SubmitAsync("ident_int8", Bodies.In("INT8", 1));
        Assert.Equal((3, 1, 4), (await QueuedAsync(_a), await QueuedAsync(_b), await QueuedAsync(operating)));
        var listed = (await _b.FetchAsync("/v1/queues")).MustBe(200).Json["data"]!.AsArray().Single(q => (string?)q!["model"] == "ident_int8")!;
        Assert.Equal(1, (int)listed["queued"]!);

        static async Task<int> QueuedAsync(HttpClient client) => (int)(await client.FetchAsync("/v1/queues/ident_int8")).MustBe(200).Json["queued"]!;
    }

    [Fact]
    [Attack(11)]
    public async Task Given_a_model_of_some_tenants_When_another_calls_it_by_any_way_Then_it_is_not_there()
    {
        var body = Calls.Pair([1, 2, 3, 4], [1, 2, 3, 4]);
        (await _a.InferAsync("pair", body)).MustBe(200);
        (await _b.InferAsync("pair", body)).MustBe(404, "model_not_found");
        (await _b.PostAsync("/v2/models/pair/versions/1/infer", body)).MustBe(404, "model_not_found");
        (await _b.InferAsync("pair", body, ("Prefer", "respond-async"))).MustBe(404, "model_not_found");
        (await _b.PostAsync("/v1/jobs", Bodies.Job("pair", body))).MustBe(404, "model_not_found");
        foreach (var path in new[] { "/v2/models/pair", "/v2/models/pair/ready", "/v2/models/pair/versions/1", "/v2/models/pair/versions/1/ready", "/v1/queues/pair" })
            (await _b.FetchAsync(path)).MustBe(404, "model_not_found");
        foreach (var text in new[] { (await _b.FetchAsync("/v2/models")).Text, (await _b.AskAsync(HttpMethod.Post, "/v2/repository/index")).Text, (await _b.FetchAsync("/v1/queues")).Text })
            Assert.DoesNotContain("\"pair\"", text, StringComparison.Ordinal);
        Assert.Contains("\"pair\"", (await _a.FetchAsync("/v2/models")).Text, StringComparison.Ordinal);
    }

    [Theory]
    [Attack(9)]
    [InlineData("tenant_id", "\"b\"")]
    [InlineData("tenant", "\"b\"")]
    [InlineData("state", "\"succeeded\"")]
    [InlineData("attempt", "-5")]
    [InlineData("role", "\"admin\"")]
    [InlineData("fence", "9")]
    public async Task Given_a_member_that_is_not_the_client_s_When_sent_Then_v1_refuses_it_and_v2_ignores_it(string member, string value)
    {
        var inference = System.Text.Json.JsonSerializer.Serialize(JobCalls.Fast);
        (await _a.PostAsync("/v1/jobs", $$"""{"model": "ident_fp32", "inference": {{inference}}, "{{member}}": {{value}}}""")).MustBe(400, "invalid_request");
        (await _a.InferTextAsync("ident_fp32", $$"""{"{{member}}": {{value}}, {{inference[1..]}}""")).MustBe(200);
        var id = await _a.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["metadata"] = new Dictionary<string, string> { [member] = "x" });
        Assert.Equal(("succeeded", 1), (await _a.EndAsync(id)) is var job ? ((string?)job["state"], (int)job["attempt"]!) : default);
        (await _a.PostAsync($"/v1/jobs/{id}/replay", $$"""{"{{member}}": {{value}}}""")).MustBe(400, "invalid_request");
        (await _b.FetchAsync($"/v1/jobs/{id}")).MustBe(404);
    }

    [Theory]
    [Attack(8)]
    [InlineData("1")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("job_00000000000000000000000000")]
    [InlineData("..%2Fx")]
    [InlineData("job_01M8%27;drop table jobs;--")]
    public async Task Given_an_id_that_is_none_When_used_Then_404(string id)
    {
        (await _a.FetchAsync($"/v1/jobs/{id}")).MustBe(404, "job_not_found");
        (await _a.AskAsync(HttpMethod.Delete, $"/v1/jobs/{id}")).MustBe(404, "job_not_found");
    }

    [Fact]
    [Attack(8)]
    public async Task Given_ids_with_a_NUL_or_of_a_megabyte_When_used_Then_4xx_and_the_server_goes_on()
    {
        Assert.Equal(400, (await _a.FetchAsync("/v1/jobs/job_01M8%00")).Status);
        Assert.Equal(414, (await _a.FetchAsync($"/v1/jobs/{new string('x', 1_000_000)}")).Status);
        (await _a.FetchAsync("/v1/jobs")).MustBe(200);
    }
}
