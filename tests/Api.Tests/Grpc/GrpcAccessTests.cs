using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;
using static Millrace.Api.Tests.Grpc.Messages;

namespace Millrace.Api.Tests.Grpc;

/// <summary>Who may call: the keys, roles and tenants of the rest of the interface.</summary>
public sealed class GrpcAccessTests
{
    [Fact]
    public async Task Given_a_server_with_keys_When_called_without_or_with_a_wrong_one_Then_unauthenticated_for_all_but_health()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, Keys.Unlimited);
        using var admin = await server.Client.CloseAsync();
        foreach (var key in (string?[])[null, "mr_wrong", admin.Shown()[..^1] + "x"])
        {
            using var client = new GrpcClient(server, key);
            await client.Infer(RawIn("ident_fp32", "FP32", 1f)).MustFailAsync(StatusCode.Unauthenticated, "unauthorized");
            await client.Service.ServerMetadataAsync(new ServerMetadataRequest(), client.Options).MustFailAsync(StatusCode.Unauthenticated, "unauthorized");
            await client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "nope" }, client.Options).MustFailAsync(StatusCode.Unauthenticated, "unauthorized");
            Assert.True((await client.Service.ServerReadyAsync(new ServerReadyRequest(), client.Options)).Ready);
        }
        using var known = new GrpcClient(server, admin.Shown());
        Assert.Equal("millrace", (await known.Service.ServerMetadataAsync(new ServerMetadataRequest(), known.Options)).Name);
    }

    [Fact]
    public async Task Given_a_key_without_the_role_When_it_calls_Then_permission_denied()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, Keys.Unlimited);
        using var admin = await server.Client.CloseAsync();
        using var reader = await ClientAsync(server, admin, "a", "read");
        using var submitter = await ClientAsync(server, admin, "a", "submit");

        await reader.Infer(RawIn("ident_fp32", "FP32", 1f)).MustFailAsync(StatusCode.PermissionDenied, "forbidden");
        Assert.True((await reader.Service.ModelReadyAsync(new ModelReadyRequest { Name = "ident_fp32" }, reader.Options)).Ready);
        await submitter.Infer(RawIn("ident_fp32", "FP32", 1f));
        await submitter.Service.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "ident_fp32" }, submitter.Options).MustFailAsync(StatusCode.PermissionDenied, "forbidden");
        Assert.True((await reader.Service.ModelReadyAsync(new ModelReadyRequest { Name = "ident_fp32" }, reader.Options)).Ready);
    }

    [Fact]
    public async Task Given_a_model_of_one_tenant_When_another_asks_Then_it_is_not_there()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Access:Models:ident_fp32=a"]);
        using var admin = await server.Client.CloseAsync();
        using var owner = await ClientAsync(server, admin, "a", "submit");
        using var other = await ClientAsync(server, admin, "b", "submit");

        await owner.Infer(RawIn("ident_fp32", "FP32", 1f));
        var hidden = await other.Infer(RawIn("ident_fp32", "FP32", 1f)).MustFailAsync(StatusCode.NotFound, "model_not_found");
        var absent = await other.Infer(RawIn("nope", "FP32", 1f)).MustFailAsync(StatusCode.NotFound, "model_not_found");
        Assert.Equal(absent.Status.Detail, hidden.Status.Detail);
        Assert.DoesNotContain((await other.Service.RepositoryIndexAsync(new RepositoryIndexRequest(), other.Options)).Models, m => m.Name == "ident_fp32");
    }

    [Fact]
    public async Task Given_calls_that_end_in_many_ways_When_counted_Then_they_stand_beside_those_of_HTTP()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        await client.Infer(RawIn("ident_fp32", "FP32", 1f));
        await client.Infer(RawIn("ident_fp32", "INT32", 1)).MustFailAsync(StatusCode.InvalidArgument, "invalid_tensor");
        await client.Infer(RawIn("bad", "FP32", 1f)).MustFailAsync(StatusCode.Internal, "internal");
        await client.Service.ServerLiveAsync(new ServerLiveRequest(), client.Options);

        var scrape = await Scrape.OfAsync(server.Management);
        Assert.Equal(1, scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "ident_fp32"), ("code", "200")));
        Assert.Equal(1, scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "ident_fp32"), ("code", "400")));
        Assert.Equal(1, scrape.Sum("millrace_http_requests_total", ("lane", "sync"), ("model", "bad"), ("code", "500")));
    }

    private static async Task<GrpcClient> ClientAsync(MillraceServer server, HttpClient admin, string tenant, params string[] roles) =>
        new(server, (string)(await admin.NewKeyAsync(new { name = "test", tenant, roles }))["key"]!);
}
