using System.Security.Cryptography;
using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>One trace from the client to the model run and its result, over processes and queues, as an OTLP receiver gets it.</summary>
public sealed class TraceTests(RabbitFixture rabbit, PostgresFixture postgres) : IAsyncLifetime
{
    private readonly Cluster _cluster = new(rabbit.Url, postgres.NewSchema(), Repository.TestModels);
    private readonly string _client = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private OtlpReceiver _receiver = null!;
    private MillraceProcess _api = null!;

    [Fact]
    public async Task Given_a_recorded_trace_When_a_request_is_answered_Then_it_is_one_trace_from_the_client_to_the_run()
    {
        var trace = NewTrace();
        var answer = (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1), ("traceparent", Parent(trace)))).MustBe(200);
        Assert.StartsWith($"00-{trace}-", answer.Header("traceresponse"));

        var spans = await ArriveAsync(trace, "POST /v2/models/{model}/infer", "coalesce ident_fp32", "send infer.ident_fp32", "queue infer.ident_fp32", "process infer.ident_fp32", "batch ident_fp32", "run ident_fp32");

        Assert.Equal(_client, spans["POST /v2/models/{model}/infer"].ParentId);
        AreChildren(spans, "POST /v2/models/{model}/infer", "coalesce ident_fp32", "send infer.ident_fp32");
        AreChildren(spans, "send infer.ident_fp32", "queue infer.ident_fp32", "process infer.ident_fp32");
        AreChildren(spans, "process infer.ident_fp32", "batch ident_fp32", "run ident_fp32");
        Assert.Equal(("millrace-api", "millrace-worker"), (spans["send infer.ident_fp32"].Service, spans["run ident_fp32"].Service));
        Assert.Equal("ident_fp32", spans["POST /v2/models/{model}/infer"].Tags["millrace.model"]);
    }

    [Fact]
    public async Task Given_a_recorded_trace_When_a_job_fails_once_and_is_run_again_Then_both_attempts_and_the_poll_are_in_it()
    {
        var trace = NewTrace();
        (string, string) header = ("traceparent", Parent(trace));
        var job = (string)(await _api.Client.PostAsync("/v1/jobs", Bodies.Job("flaky", Bodies.In("FP32", 1)), header)).MustBe(202).Json["id"]!;
        Assert.Equal("succeeded", (string?)(await _api.Client.AskAsync(HttpMethod.Get, $"/v1/jobs/{job}?wait=60", null, header)).MustBe(200).Json["state"]);
        (await _api.Client.AskAsync(HttpMethod.Get, $"/v1/jobs/{job}/result", null, header)).MustBe(200);

        IReadOnlyList<Span> spans = [];
        await Waiting.UntilAsync(() => (spans = _receiver.Of(trace)).Count(s => s.Name == "attempt flaky") == 2 && spans.Any(s => s.Name == "GET /v1/jobs/{id}/result"), "both attempts have arrived");

        var submit = spans.Single(s => s.Name == "POST /v1/jobs/");
        Assert.Equal(_client, submit.ParentId);
        Assert.Equal(submit.SpanId, spans.Single(s => s.Name == "store flaky").ParentId);
        Assert.Equal(submit.SpanId, spans.Single(s => s.Name == "send jobs.flaky").ParentId);
        var attempts = spans.Where(s => s.Name == "attempt flaky").ToArray();
        Assert.All(attempts, attempt =>
        {
            Assert.Equal(submit.SpanId, attempt.ParentId);
            Assert.Equal(job, attempt.Tags["millrace.job.id"]);
            foreach (var step in new[] { "claim flaky", "run flaky", "finish flaky" })
                Assert.Single(spans, s => s.Name == step && s.ParentId == attempt.SpanId);
        });
        Assert.Equal([("1", true), ("2", false)], attempts.Select(a => (a.Tags["millrace.job.attempt"], a.IsError)));
        Assert.Equal(2, spans.Count(s => s.Name == "queue jobs.flaky" && s.ParentId == submit.SpanId));
        Assert.Contains(spans, s => s.Name == "GET /v1/jobs/{id}" && s.ParentId == _client);
    }

    [Fact]
    public async Task Given_a_job_that_ended_When_it_is_replayed_and_read_in_other_traces_Then_these_are_linked_to_its_own()
    {
        var (first, second, third) = (NewTrace(), NewTrace(), NewTrace());
        var job = (string)(await _api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)), ("traceparent", Parent(first)), ("Prefer", "wait=60"))).MustBe(200).Json["id"]!;
        var again = (await _api.Client.PostAsync($"/v1/jobs/{job}/replay", new { }, ("traceparent", Parent(second)))).MustBe(202);
        Assert.Equal(second, (string?)again.Json["trace_id"]);
        (await _api.Client.AskAsync(HttpMethod.Get, $"/v1/jobs/{job}", null, ("traceparent", Parent(third)))).MustBe(200);

        await ArriveAsync(second, "POST /v1/jobs/{id}/replay", "attempt ident_fp32");
        await ArriveAsync(third, "GET /v1/jobs/{id}");
        Assert.Contains(_receiver.Of(second).Single(s => s.Name == "POST /v1/jobs/{id}/replay").Links, l => l.TraceId == first);
        Assert.Contains(_receiver.Of(third).Single(s => s.Name == "GET /v1/jobs/{id}").Links, l => l.TraceId == first);
    }

    [Fact]
    public async Task Given_requests_of_several_traces_When_they_share_a_run_Then_their_runs_are_linked()
    {
        var blocker = _api.Client.PostAsync("/v2/models/slow/infer", Bodies.In("INT32", 400));
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(_api.Management)).Sum("millrace_sync_requests", ("model", "slow")) == 1, "the one that the others wait behind is there");
        var traces = Enumerable.Range(0, 4).Select(_ => NewTrace()).ToArray();
        await Task.WhenAll(traces.Select(trace => _api.Client.PostAsync("/v2/models/slow/infer", Bodies.In("INT32", 1), ("traceparent", Parent(trace)))).Append(blocker));

        await Waiting.UntilAsync(() => traces.All(trace => _receiver.Of(trace).Any(s => s.Name == "run slow")), "all runs have arrived");
        var linked = traces.Select(trace => _receiver.Of(trace).Single(s => s.Name == "run slow")).Where(run => run.Links.Count > 0).ToArray();
        Assert.NotEmpty(linked);
        Assert.All(linked.SelectMany(run => run.Links), link => Assert.Contains(link.TraceId, traces));
    }

    [Fact]
    public async Task Given_a_trace_that_is_not_recorded_When_a_request_and_a_job_are_served_Then_no_span_of_it_leaves()
    {
        var (unrecorded, recorded) = (NewTrace(), NewTrace());
        (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1), ("traceparent", $"00-{unrecorded}-{_client}-00"))).MustBe(200);
        (await _api.Client.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)), ("traceparent", $"00-{unrecorded}-{_client}-00"), ("Prefer", "wait=60"))).MustBe(200);
        (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1), ("traceparent", Parent(recorded)))).MustBe(200);
        await ArriveAsync(recorded, "run ident_fp32"); // what came before it has left too
        Assert.Empty(_receiver.Of(unrecorded));
    }

    public async ValueTask InitializeAsync()
    {
        _receiver = await OtlpReceiver.StartAsync();
        _cluster.Settings.Add($"Millrace:Traces:Endpoint={_receiver.Endpoint}");
        _cluster.Settings.Add("OTEL_BSP_SCHEDULE_DELAY=100");
        _api = await _cluster.StartApiAsync();
        await Cluster.ReadyAsync(await _cluster.StartWorkerAsync("Millrace:Faults:Plan=in_run:flaky=throw@1"));
        await Waiting.UntilAsync(async () => (await _api.Client.PostAsync("/v2/models/ident_fp32/infer", Bodies.In("FP32", 1), ("traceparent", $"00-{NewTrace()}-{_client}-00"))).Status == 200, "the API knows the models");
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    private static string NewTrace() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    private string Parent(string trace) => $"00-{trace}-{_client}-01";

    private async Task<Dictionary<string, Span>> ArriveAsync(string trace, params string[] names)
    {
        await Waiting.UntilAsync(() => names.All(name => _receiver.Of(trace).Any(s => s.Name == name)), $"{string.Join(", ", names)} have arrived");
        return _receiver.Of(trace).ToDictionary(s => s.Name);
    }

    private static void AreChildren(Dictionary<string, Span> spans, string parent, params string[] children)
    {
        foreach (var child in children)
        {
            Assert.Equal(spans[parent].SpanId, spans[child].ParentId);
            Assert.True(spans[child].Start >= spans[parent].Start - 5_000_000, $"{child} begins before {parent}"); // a few milliseconds: two clocks, and one of them in whole ones
        }
    }
}
