using System.Text;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>A name in the path never leads to another model, or out of the repository.</summary>
public sealed class ModelNameTests(ServerFixture fixture)
{
    public static TheoryData<string> Names =>
    [
        "a%2Fb", "pair%2Fversions%2F1", "%2E%2E", "%2e%2e", "..%2fpair", "%2E%2E%2Fpair", "..%5Cpair", "pair%20", "%20pair", "pair%0A", "pair.",
        "pair%3F", "*", "pa%2Ar", "%C3%BC", "%F0%9F%A6%80", "%FF", "pair;x", "pair,str", "null", "%7B%7D", new string('a', 200),
        "pair" + new string('r', 196),
    ];

    [Theory]
    [Conformance(37)]
    [MemberData(nameof(Names))]
    public async Task Given_a_strange_name_When_inferred_Then_404(string name)
    {
        foreach (var path in (string[])[$"/v2/models/{name}/infer", $"/v2/models/{name}/versions/1/infer"])
            (await SendAsync(HttpMethod.Post, path)).MustBe(404);
    }

    [Theory]
    [Conformance(37)]
    [MemberData(nameof(Names))]
    public async Task Given_a_strange_name_When_read_Then_it_is_no_model(string name)
    {
        var answer = await SendAsync(HttpMethod.Get, $"/v2/models/{name}");
        if (answer.Status == 200) // dot segments may lead up to another route
            Assert.Null(answer.Json["inputs"]);
        else
            answer.MustBe(404);
    }

    [Fact]
    [Conformance(37)]
    public async Task Given_a_name_quoted_without_need_When_inferred_Then_it_is_the_model_of_that_name() =>
        (await SendAsync(HttpMethod.Post, "/v2/models/ident_fp3%32/infer")).MustBe(200);

    /// <summary>Sends the path as it stands, dots and all.</summary>
    private async Task<Answer> SendAsync(HttpMethod method, string path)
    {
        var uri = new Uri(fixture.Server.Url + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(method, uri);
        if (method == HttpMethod.Post)
            request.Content = new StringContent(JsonSerializer.Serialize(Bodies.In("FP32", 1)), Encoding.UTF8, "application/json");
        var response = await fixture.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return new Answer(response.StatusCode, response, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
