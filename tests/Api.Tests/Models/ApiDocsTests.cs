using System.Text.Json.Nodes;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Models;

/// <summary>The interface as it describes itself.</summary>
public sealed class ApiDocsTests(ServerFixture fixture)
{
    [Fact]
    public async Task Given_every_mapped_route_When_the_OpenAPI_document_is_read_Then_it_is_in_there()
    {
        var paths = (await fixture.Client.FetchAsync("/openapi/v1.json")).MustBe(200).Json["paths"]!.AsObject();

        var missing = Routes().Where(r => !IsIn(paths, r.Path, r.Method)).Select(r => $"{r.Method} {r.Path}").ToArray();

        Assert.True(Routes().Count() > 15);
        Assert.True(missing.Length == 0, string.Join(", ", missing));
    }

    [Fact]
    public async Task Given_the_OpenAPI_document_When_read_Then_every_operation_has_an_id_of_its_own_and_a_summary()
    {
        var paths = (await fixture.Client.FetchAsync("/openapi/v1.json")).MustBe(200).Json["paths"]!.AsObject();

        var operations = paths.SelectMany(p => p.Value!.AsObject().Where(m => m.Key is "get" or "post" or "delete" or "put" or "patch")).ToArray();

        Assert.All(operations, o => Assert.False(string.IsNullOrEmpty((string?)o.Value!["summary"]), o.Value!.ToJsonString()));
        var ids = operations.Select(o => (string?)o.Value!["operationId"]).ToArray();
        Assert.All(ids, Assert.NotNull);
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Theory]
    [InlineData("/docs")]
    [InlineData("/docs/")]
    public async Task Given_a_reader_When_the_docs_are_opened_Then_200_with_a_page(string path)
    {
        var answer = (await fixture.Client.FetchAsync(path)).MustBe(200);

        Assert.Equal("text/html", answer.Message.Content.Headers.ContentType!.MediaType);
    }

    private IEnumerable<(string Path, string Method)> Routes() => fixture.Server.Services.GetServices<EndpointDataSource>()
        .SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().Where(e => e.Metadata.GetMetadata<GrpcMethodMetadata>() is null) // those describe themselves by reflection
        .Select(e => (Path: "/" + e.RoutePattern.RawText!.Trim('/'), Endpoint: e))
        .Where(e => !e.Path.StartsWith("/docs", StringComparison.Ordinal) && !e.Path.StartsWith("/openapi", StringComparison.Ordinal))
        .SelectMany(e => e.Endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Select(m => (e.Path, m)) ?? [(e.Path, "ANY")]);

    private static bool IsIn(JsonObject paths, string path, string method) => paths.Any(p =>
        string.Equals(p.Key.TrimEnd('/'), path.TrimEnd('/'), StringComparison.Ordinal) && p.Value!.AsObject().ContainsKey(method.ToLowerInvariant()));
}
