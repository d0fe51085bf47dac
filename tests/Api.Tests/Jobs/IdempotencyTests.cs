using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>One key, one body, one job.</summary>
public sealed class IdempotencyTests(ServerFixture fixture)
{
    private static readonly object Body = Bodies.Job("ident_fp32", JobCalls.Fast);

    private static string NewKey() => Guid.NewGuid().ToString("D");

    private Task<Answer> SubmitAsync(string key, object? body = null, params (string, string)[] headers) =>
        fixture.Client.PostAsync("/v1/jobs", body ?? Body, [("Idempotency-Key", key), .. headers]);

    [Fact]
    [Conformance(60)]
    public async Task Given_a_key_When_the_same_body_comes_again_Then_it_is_the_same_job_and_ran_once()
    {
        var key = NewKey();
        var first = await SubmitAsync(key);
        var id = (string)first.MustBe(202).Json["id"]!;
        Assert.Null(first.Header("Idempotency-Replayed"));
        await fixture.Client.EndAsync(id);

        var again = (await SubmitAsync(key)).MustBe(200); // by its present state

        Assert.Equal((id, "succeeded"), ((string?)again.Json["id"], (string?)again.Json["state"]));
        Assert.Equal("true", again.Header("Idempotency-Replayed"));
        Assert.Equal($"/v1/jobs/{id}", again.Header("Location"));
        Assert.Equal([1], fixture.Server.Runs(id));
    }

    [Fact]
    [Conformance(60)]
    public async Task Given_fifty_at_once_with_one_key_When_submitted_Then_there_is_one_job_and_one_run()
    {
        var key = NewKey();
        var run = Guid.NewGuid().ToString("N");
        var body = Bodies.Job("ident_fp32", JobCalls.Fast, m => m["metadata"] = new { run });

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SubmitAsync(key, body)));

        Assert.All(answers, a => Assert.Contains(a.Status, new[] { 200, 202, 409 }));
        var id = Assert.Single(answers.Where(a => a.Status != 409).Select(a => (string)a.Json["id"]!).Distinct());
        Assert.Single(answers, a => a.Status != 409 && a.Header("Idempotency-Replayed") is null);
        Assert.Single((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).Json["data"]!.AsArray());
        await fixture.Client.EndAsync(id);
        Assert.Equal([1], fixture.Server.Runs(id));
    }

    [Fact]
    [Conformance(61)]
    public async Task Given_a_used_key_When_another_body_comes_Then_422_and_no_job()
    {
        var key = NewKey();
        (await SubmitAsync(key)).MustBe(202);
        (await SubmitAsync(key, Bodies.Job("ident_fp32", Bodies.In("FP32", 3)))).MustBe(422, "idempotency_key_reused");
    }

    [Fact]
    [Conformance(61)]
    public async Task Given_a_key_in_quotes_and_bare_When_used_Then_it_is_the_same_key()
    {
        var key = NewKey();
        var id = (string)(await SubmitAsync(key)).MustBe(202).Json["id"]!;
        Assert.Equal(id, (string?)(await SubmitAsync($"\"{key}\"")).Json["id"]);
    }

    [Fact]
    [Attack(26)]
    [Conformance(61)]
    public async Task Given_a_key_of_bad_form_When_used_Then_400_and_at_the_limit_not()
    {
        var longest = new string('k', 219) + NewKey();
        (await SubmitAsync(longest)).MustBe(202);
        foreach (var key in new[] { longest + "k", new string('k', 5000), $"\"{longest}k\"", "", "\"\"", "a b", "a/b", "\"a", "a\"b" })
            (await SubmitAsync(key)).MustBe(400, "invalid_idempotency_key");
    }

    [Fact]
    [Conformance(62)]
    public async Task Given_a_key_on_a_refused_request_When_used_again_Then_it_is_still_free()
    {
        var key = NewKey();
        (await SubmitAsync(key, Bodies.Job("ident_fp32", JobCalls.Fast, m => m["priority"] = 10))).MustBe(400, "invalid_request");
        (await SubmitAsync(key, Bodies.Job("ident_fp32", Bodies.In("FP32", "x")))).MustBe(400, "invalid_tensor");
        (await SubmitAsync(key, Bodies.Job("nope", JobCalls.Fast))).MustBe(404, "model_not_found");
        (await SubmitAsync(key, Bodies.Job("cold", JobCalls.Fast))).MustBe(503, "model_not_ready");
        Assert.Null((await SubmitAsync(key)).MustBe(202).Header("Idempotency-Replayed"));
    }

    [Fact]
    [Conformance(62)]
    public async Task Given_other_hints_or_a_content_coding_When_the_same_body_comes_Then_it_is_the_same_job()
    {
        var key = NewKey();
        var id = (string)(await SubmitAsync(key)).MustBe(202).Json["id"]!;

        var waited = await SubmitAsync(key, null, ("Prefer", "wait=30"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));

        Assert.Equal((id, "succeeded"), ((string?)waited.MustBe(200).Json["id"], (string?)waited.Json["state"]));
        var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            await gzip.WriteAsync(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(Body)), TestContext.Current.CancellationToken);
        var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        content.Headers.ContentEncoding.Add("gzip");
        var coded = await fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", content, ("Idempotency-Key", key));
        Assert.Equal((id, "true"), ((string?)coded.MustBe(200).Json["id"], coded.Header("Idempotency-Replayed")));
    }
}
