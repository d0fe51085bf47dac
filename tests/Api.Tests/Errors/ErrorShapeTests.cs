using System.Text.Json.Nodes;
using Millrace.Api.Errors;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Errors;

/// <summary>Every failure has the shape of its family, a code of the closed list, and nothing of the inside.</summary>
public sealed class ErrorShapeTests(ServerFixture fixture)
{
    private static readonly string Inside = System.Text.RegularExpressions.Regex.Escape(Repository.Root) + @"|\bat \w+\.|Exception|System\.|Microsoft\.|Millrace\.|(?i:OnnxRuntime)|\.cs\b|\.cc\b|\.onnx|/tmp/";

    public static TheoryData<string, string, string?, int> Failures => new()
    {
        { "GET", "/v2/nope", null, 404 },
        { "GET", "/v2/models/pair/nope", null, 404 },
        { "GET", "/v2/models/nope", null, 404 },
        { "GET", "/v2/models/%3Cscript%3E", null, 404 },
        { "DELETE", "/v2/models/pair", null, 405 },
        { "POST", "/v2", "{}", 405 },
        { "GET", "/v2/models/pair/infer", null, 405 },
        { "PUT", "/v2/models/pair/infer", "{}", 405 },
        { "GET", "/v2/repository/index", null, 405 },
        { "NONSENSE", "/v2/health/live", null, 405 },
        { "POST", "/v2/models/pair/infer", "x", 400 },
        { "POST", "/v2/models/bad/infer", """{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}""", 500 },
        { "POST", "/v2/models/pick/infer", """{"inputs":[{"name":"IN","datatype":"INT64","shape":[1],"data":[50]}]}""", 400 },
        { "POST", "/v2/models/cold/infer", "{}", 503 },
        { "GET", "/", null, 404 },
        { "GET", "/nope", null, 404 },
        { "GET", "/v1", null, 404 },
        { "GET", "/v1/nope", null, 404 },
        { "GET", "/v1/jobs/nope", null, 404 },
        { "PATCH", "/v1/jobs", "{}", 405 },
        { "DELETE", "/v1/jobs", null, 405 },
        { "POST", "/v1/jobs", "x", 400 },
        { "POST", "/v1/jobs", "{}", 400 },
        { "GET", "/v1/jobs?limit=-1", null, 400 },
        { "GET", "/v1/queues/nope", null, 404 },
        { "POST", "/problems/internal", "{}", 405 },
        { "GET", "/problems/nope", null, 404 },
        { "GET", "/openapi/nope.json", null, 404 },
    };

    [Theory]
    [Conformance(31, 74)]
    [MemberData(nameof(Failures))]
    public async Task Given_a_failure_of_any_route_When_answered_Then_it_has_its_family_s_shape_and_shows_nothing_of_the_inside(
        string method, string path, string? body, int status)
    {
        var content = body is null ? null : new StringContent(body);

        var answer = (await fixture.Client.AskAsync(new HttpMethod(method), path, content)).MustBe(status);

        var code = (string?)answer.Json["code"];
        Assert.Equal(status, ErrorCodes.All.Values.Single(e => e.Name == code).Status);
        Assert.DoesNotMatch(Inside, answer.Text);
        Assert.Null(answer.Header("Server"));
        if (status == 405)
            Assert.False(string.IsNullOrEmpty(answer.Header("Allow")));
        if (!path.StartsWith("/v2", StringComparison.Ordinal))
            Assert.EndsWith($"/problems/{code}", (string?)answer.Json["type"], StringComparison.Ordinal);
    }

    [Theory]
    [Conformance(31)]
    [InlineData("DELETE", "/v2/models/pair", "GET")]
    [InlineData("GET", "/v2/models/pair/infer", "POST")]
    [InlineData("GET", "/v2/repository/index", "POST")]
    [InlineData("PUT", "/v1/jobs", "GET, POST")]
    public async Task Given_a_wrong_verb_When_answered_Then_Allow_lists_the_right_ones(string method, string path, string allow)
    {
        var answer = (await fixture.Client.AskAsync(new HttpMethod(method), path)).MustBe(405, "method_not_allowed");

        Assert.Equal(allow, string.Join(", ", answer.Header("Allow")!.Split(',', StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal)));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("A.b_c-9")]
    [InlineData("128")]
    public async Task Given_a_harmless_request_id_When_sent_Then_it_comes_back_on_success_and_failure(string id)
    {
        id = id == "128" ? new string('x', 128) : id;
        foreach (var path in (string[])["/v2", "/v2/models/nope", "/v2/nope", "/v1/jobs/nope", "/problems", "/nope"])
        {
            var answer = await fixture.Client.FetchAsync(path, ("X-Request-Id", id));
            Assert.Equal(id, answer.Header("X-Request-Id"));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("<script>")]
    [InlineData("a,b")]
    [InlineData("129")]
    public async Task Given_a_request_id_of_another_form_When_sent_Then_one_is_made_instead(string id)
    {
        id = id == "129" ? new string('x', 129) : id;
        foreach (var path in (string[])["/v2", "/v2/nope", "/v1/jobs/nope"])
        {
            var answer = await fixture.Client.FetchAsync(path, ("X-Request-Id", id));
            Assert.NotEqual(id, answer.Header("X-Request-Id"));
            Assert.Matches("^[A-Za-z0-9._-]{1,128}$", answer.Header("X-Request-Id"));
        }
    }

    [Fact]
    public async Task Given_no_request_id_When_sent_Then_each_answer_has_another()
    {
        var ids = new List<string?>();
        for (var at = 0; at < 5; at++)
            ids.Add((await fixture.Client.FetchAsync("/v2")).Header("X-Request-Id"));

        Assert.Equal(5, ids.Where(i => i is not null).Distinct().Count());
    }

    [Fact]
    public async Task Given_a_path_that_only_begins_like_v2_When_it_is_unknown_Then_the_error_is_a_problem()
    {
        var answer = await fixture.Client.FetchAsync("/v20/models");

        Assert.Equal(404, answer.Status);
        Assert.Equal("application/problem+json", answer.Message.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Given_a_path_full_of_markup_When_it_is_unknown_Then_the_error_is_JSON_that_parses()
    {
        var answer = (await fixture.Client.FetchAsync("/v2/%22%3E%3Cscript%3E%5C%0D%0AX:1")).MustBe(404, "not_found");

        Assert.IsType<JsonObject>(answer.Json);
        Assert.Null(answer.Header("X"));
    }
}
