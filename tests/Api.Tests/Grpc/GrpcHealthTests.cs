using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;
using Millrace.Tests.Support;
using static Grpc.Health.V1.HealthCheckResponse.Types;
using HealthClient = Grpc.Health.V1.Health.HealthClient;

namespace Millrace.Api.Tests.Grpc;

/// <summary>What tools of gRPC expect of every server: its health, and what it serves. Both without a key.</summary>
public sealed class GrpcHealthTests
{
    private const string Service = "inference.GRPCInferenceService";

    [Fact]
    public async Task Given_a_server_with_keys_When_its_health_is_asked_for_without_one_Then_it_serves_as_a_whole_and_by_its_service()
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        using var client = new GrpcClient(server);
        var health = new HealthClient(client.Invoker);

        foreach (var service in (string[])["", Service])
            Assert.Equal(ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest { Service = service }, client.Options)).Status);
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(async () => await health.CheckAsync(new HealthCheckRequest { Service = "nope" }, client.Options))).StatusCode);
    }

    [Fact]
    public async Task Given_watchers_of_its_health_When_the_server_is_told_to_stop_Then_they_hear_of_it_and_it_leaves()
    {
        var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        using var watch = new HealthClient(client.Invoker).Watch(new HealthCheckRequest { Service = Service }, client.Options);
        Assert.True(await watch.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);

        var stopping = server.StopAsync();

        Assert.True(await watch.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Equal(ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        Assert.False(await watch.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Given_a_server_with_keys_When_asked_without_one_what_it_serves_Then_it_lists_services_and_describes_them()
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        using var client = new GrpcClient(server);
        using var call = new ServerReflection.ServerReflectionClient(client.Invoker).ServerReflectionInfo(client.Options);

        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, TestContext.Current.CancellationToken);
        Assert.True(await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Superset(new HashSet<string> { Service, "grpc.health.v1.Health" }, call.ResponseStream.Current.ListServicesResponse.Service.Select(s => s.Name).ToHashSet());
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = $"{Service}.ModelInfer" }, TestContext.Current.CancellationToken);
        Assert.True(await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.NotEmpty(call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto);
        await call.RequestStream.CompleteAsync();
    }

    [Fact]
    public async Task Given_a_client_that_keeps_a_stream_open_When_the_server_is_told_to_stop_Then_it_leaves_without_it()
    {
        var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Drain:Timeout=00:10:00");
        using var client = new GrpcClient(server);
        using var call = new ServerReflection.ServerReflectionClient(client.Invoker).ServerReflectionInfo(client.Options);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, TestContext.Current.CancellationToken);
        Assert.True(await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));

        await server.StopAsync().WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        await server.DisposeAsync();
    }
}
