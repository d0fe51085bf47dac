using System.Text.Json.Nodes;
using Millrace.Api.Tests.Inference;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Jobs whose tensors follow the job object, and results in either form.</summary>
public sealed class BinaryJobTests(ServerFixture fixture)
{
    private const string Binary = ""","parameters":{"binary_data_output":true}""";

    private static string Job(string inference, string more = "", string model = "ident_fp32") => $$"""{"model":"{{model}}","inference":{{inference}}{{more}}}""";

    private Task<Answer> SubmitAsync(string json, byte[] tensors, params (string Name, string Value)[] headers) => fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs",
        new ByteArrayContent(Framing.Body(json, tensors)), [("Content-Type", "application/octet-stream"), (Framing.Header, $"{Framing.Length(json)}"), .. headers]);

    /// <summary>A job that has succeeded; where it is.</summary>
    private async Task<string> DoneAsync(string json, params byte[] tensors)
    {
        var location = (await SubmitAsync(json, tensors)).MustBe(202).Header("Location")!;
        Assert.Equal("succeeded", (string?)(await fixture.Client.FetchAsync($"{location}?wait=60")).MustBe(200).Json["state"]);
        return location;
    }

    [Fact]
    [Conformance(15, 44, 52)]
    public async Task Given_tensors_after_the_job_object_When_submitted_Then_the_result_is_in_the_form_that_the_job_asked_for()
    {
        var bytes = Framing.Floats(1.5f, float.NaN);

        var binary = await DoneAsync(Job(Framing.In("FP32", "[2]", 8, Binary), ""","priority":3,"metadata":{"k":"ø"}"""), bytes);
        var plain = await DoneAsync(Job(Framing.In("FP32", "[2]", 8)), Framing.Floats(1, 2));

        var split = await (await fixture.Client.FetchAsync($"{binary}/result")).SplitAsync();
        Assert.Equal(bytes, split.Tensors["OUT"]);
        (await fixture.Client.FetchAsync($"{plain}/result")).MustBe(200).MustGive<float>("OUT", 1, 2);
    }

    [Theory]
    [Conformance(52)]
    [InlineData(null, "asked")]
    [InlineData("*/*", "asked")]
    [InlineData("application/*", "asked")]
    [InlineData("text/html, */*;q=0.1", "asked")]
    [InlineData("application/json, application/octet-stream", "asked")]
    [InlineData("application/json", "json")]
    [InlineData("application/json, text/plain, */*", "json")]
    [InlineData("application/octet-stream;q=0.4, application/json;q=0.5", "json")]
    [InlineData("application/octet-stream;q=0, */*", "json")]
    [InlineData("application/octet-stream", "binary")]
    [InlineData("Application/Octet-Stream, */*;q=0.8", "binary")]
    [InlineData("application/json;q=0.5, application/octet-stream", "binary")]
    [InlineData("application/json;q=0, */*", "binary")]
    [InlineData("text/csv", "none")]
    [InlineData("application/json;q=0", "none")]
    [InlineData("*/*;q=0", "none")]
    public async Task Given_what_a_client_accepts_When_a_result_is_read_Then_it_comes_in_that_form(string? accept, string form)
    {
        const string Mixed = ""","outputs":[{"name":"DIFF","parameters":{"binary_data":true}},{"name":"SUM"}]""";
        var inputs = $"{Framing.Input("A", "FP32", "[1,4]", 16)},{Framing.Input("B", "FP32", "[1,4]", 16)}";
        var job = await DoneAsync(Job($$"""{"inputs":[{{inputs}}]{{Mixed}}}""", model: "pair"), [.. Framing.Floats(1, 2, 3, 4), .. Framing.Floats(10, 20, 30, 40)]);

        var answer = await fixture.Client.FetchAsync($"{job}/result", accept is null ? [] : [("Accept", accept)]);

        if (form == "none")
        {
            answer.MustBe(406, "not_acceptable");
            return;
        }
        if (form == "json")
        {
            Assert.Equal("application/json", answer.MustBe(200).Message.Content.Headers.ContentType?.ToString());
            Assert.Null(answer.Header(Framing.Header));
            answer.MustGive<float>("DIFF", -9, -18, -27, -36);
            answer.MustGive<float>("SUM", 11, 22, 33, 44);
            return;
        }
        var split = await answer.SplitAsync();
        Assert.Equal(form == "binary" ? ["DIFF", "SUM"] : ["DIFF"], split.Tensors.Keys.Order());
        Assert.Equal(Framing.Floats(-9, -18, -27, -36), split.Tensors["DIFF"]);
    }

    [Fact]
    [Attack(15)]
    [Conformance(13, 14)]
    public async Task Given_a_result_that_JSON_can_not_say_When_asked_for_as_JSON_Then_406_says_how_to_get_it()
    {
        var nan = await DoneAsync(Job(Framing.In("FP32", "[1]", 4, Binary)), Framing.Floats(float.NaN));
        var half = await DoneAsync(Job(Framing.In("FP16", "[1]", 2), model: "ident_fp16"), 0x00, 0x3C);
        var text = await DoneAsync(Job(Framing.In("BYTES", "[1]", 5), model: "str"), Framing.Strings([0xFF]));

        foreach (var (job, accept) in new[] { (nan, "application/json"), (half, "*/*"), (text, "*/*") })
        {
            var refused = (await fixture.Client.FetchAsync($"{job}/result", ("Accept", accept))).MustBe(406, "not_acceptable");
            Assert.Contains("application/octet-stream", (string?)refused.Json["detail"], StringComparison.Ordinal);
        }
        Assert.Equal([0x00, 0x3C], (await (await fixture.Client.FetchAsync($"{half}/result", ("Accept", "application/octet-stream"))).SplitAsync()).Tensors["OUT"]);
        Assert.Equal(Framing.Strings([0xFF]), (await (await fixture.Client.FetchAsync($"{text}/result", ("Accept", "application/octet-stream"))).SplitAsync()).Tensors["OUT"]);
    }

    [Fact]
    [Attack(16)]
    [Conformance(17, 48)]
    public async Task Given_a_frame_that_does_not_add_up_When_submitted_Then_400_and_no_job()
    {
        var run = Guid.NewGuid().ToString("N");
        var good = Job(Framing.In("FP32", "[2]", 8), $$""","metadata":{"run":"{{run}}"}""");
        var tensor = Framing.Floats(1, 2);

        async Task RefusedAsync(string header, string code, byte[] body) =>
            (await fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", new ByteArrayContent(body), (Framing.Header, header))).MustBe(400, code);

        var length = $"{Framing.Length(good)}";
        await RefusedAsync("0", "invalid_request", Framing.Body(good, tensor));
        await RefusedAsync("-1", "invalid_request", Framing.Body(good, tensor));
        await RefusedAsync("x", "invalid_request", Framing.Body(good, tensor));
        await RefusedAsync("100000", "invalid_request", Framing.Body(good, tensor));
        await RefusedAsync($"{Framing.Length(good) - 1}", "invalid_json", Framing.Body(good, tensor));
        await RefusedAsync(length, "invalid_tensor", Framing.Body(good, tensor[..7]));
        await RefusedAsync(length, "invalid_tensor", Framing.Body(good, tensor, [0]));
        (await fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", new ByteArrayContent(Framing.Body(good, tensor)))).MustBe(400, "invalid_json");
        (await fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", new ByteArrayContent(Framing.Body(good)))).MustBe(400, "invalid_tensor");

        Assert.Empty((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).MustBe(200).Json["data"]!.AsArray());
        (await SubmitAsync(good, tensor)).MustBe(202);
        Assert.Single((await fixture.Client.FetchAsync($"/v1/jobs?metadata.run={run}")).MustBe(200).Json["data"]!.AsArray());
    }

    [Fact]
    [Conformance(60, 61)]
    public async Task Given_a_key_When_the_same_bytes_come_again_Then_it_is_the_same_job_and_with_another_tensor_or_cut_not()
    {
        var key = Guid.NewGuid().ToString("D");
        var json = Job(Framing.In("FP32", "[1]", 4));
        var id = (string?)(await SubmitAsync(json, Framing.Floats(1), ("Idempotency-Key", key))).MustBe(202).Json["id"];

        var again = await SubmitAsync(json, Framing.Floats(1), ("Idempotency-Key", key));
        Assert.Equal((id, "true"), ((string?)again.Json["id"], again.Header("Idempotency-Replayed")));
        (await SubmitAsync(json, Framing.Floats(2), ("Idempotency-Key", key))).MustBe(422, "idempotency_key_reused");

        var plain = Job(Calls.In("FP32", "[1]", "[1]")); // the same bytes, said to be framed or not
        var other = Guid.NewGuid().ToString("D");
        (await SubmitAsync(plain, [], ("Idempotency-Key", other))).MustBe(202);
        (await fixture.Client.AskAsync(HttpMethod.Post, "/v1/jobs", new ByteArrayContent(Framing.Body(plain)), ("Content-Type", "application/octet-stream"), ("Idempotency-Key", other)))
            .MustBe(422, "idempotency_key_reused");
    }

    [Fact]
    [Conformance(69)]
    public async Task Given_a_binary_job_When_replayed_Then_input_and_form_of_the_result_are_the_same()
    {
        var job = await DoneAsync(Job(Framing.In("FP32", "[1]", 4, Binary)), Framing.Floats(float.NegativeInfinity));

        var replay = (await fixture.Client.AskAsync(HttpMethod.Post, $"{job}/replay", null, ("Prefer", "wait=30"))).MustBe(200).Header("Location");

        var (first, second) = (await (await fixture.Client.FetchAsync($"{job}/result")).SplitAsync(), await (await fixture.Client.FetchAsync($"{replay}/result")).SplitAsync());
        Assert.Equal(first.Tensors["OUT"], second.Tensors["OUT"]);
        Assert.True(JsonNode.DeepEquals(first.Json, second.Json));
    }
}
