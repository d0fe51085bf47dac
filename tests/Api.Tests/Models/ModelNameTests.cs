using System.Text;
using System.Text.Json;
using Millrace.Api.Tests.Inference;
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
    [Attack(40)]
    [Conformance(37)]
    [MemberData(nameof(Names))]
    public async Task Given_a_strange_name_When_inferred_Then_404(string name)
    {
        foreach (var path in (string[])[$"/v2/models/{name}/infer", $"/v2/models/{name}/versions/1/infer"])
            (await SendAsync(HttpMethod.Post, path)).MustBe(404);
    }

    [Theory]
    [Attack(40)]
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

    [Fact]
    [Attack(40)]
    public async Task Given_two_folders_whose_names_differ_in_case_only_When_scanned_Then_only_the_first_is_a_model()
    {
        using var models = ModelFolder.With(("ident_fp32", "{}"));
        Directory.Move(Path.Combine(models.Path, "ident_fp32"), Path.Combine(models.Path, "Echo"));
        Directory.CreateDirectory(Path.Combine(models.Path, "echo", "1"));
        File.Copy(Path.Combine(models.Path, "Echo", "1", "model.onnx"), Path.Combine(models.Path, "echo", "1", "model.onnx"));
        await using var server = await MillraceServer.StartAsync(models.Path);
        Assert.Equal("""{"models":["Echo"]}""", (await server.Client.FetchAsync("/v2/models")).MustBe(200).Text);
        (await server.Client.FetchAsync("/v2/models/echo")).MustBe(404, "model_not_found");
        (await server.Client.FetchAsync("/v2/models/ECHO")).MustBe(404, "model_not_found");
    }

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
