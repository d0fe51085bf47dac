using System.Collections.Frozen;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Millrace.Api.Access;
using Millrace.Api.Http;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;
using Millrace.Storage.Access;
using static Millrace.Api.Grpc.Protos.GRPCInferenceService;

namespace Millrace.Api.Grpc;

internal static class GrpcEndpoints
{
    /// <summary>The endpoint's name of the method that runs a model.</summary>
    public const string InferName = "Grpc" + nameof(GRPCInferenceServiceBase.ModelInfer);

    public const string Service = "inference.GRPCInferenceService";

    private const Roles Reading = Roles.Read | Roles.Submit;

    /// <summary>As their twins under /v2.</summary>
    private static readonly FrozenDictionary<string, Requirement> Needs = new Dictionary<string, Requirement>
    {
        [nameof(GRPCInferenceServiceBase.ServerLive)] = Requirement.Nothing,
        [nameof(GRPCInferenceServiceBase.ServerReady)] = Requirement.Nothing,
        [nameof(GRPCInferenceServiceBase.ServerMetadata)] = Requirement.SomebodyKnown,
        [nameof(GRPCInferenceServiceBase.ModelReady)] = new(Reading),
        [nameof(GRPCInferenceServiceBase.ModelMetadata)] = new(Reading),
        [nameof(GRPCInferenceServiceBase.ModelConfig)] = new(Reading),
        [nameof(GRPCInferenceServiceBase.ModelStatistics)] = new(Reading),
        [nameof(GRPCInferenceServiceBase.RepositoryIndex)] = new(Reading),
        [nameof(GRPCInferenceServiceBase.ModelInfer)] = new(Roles.Submit),
        [nameof(GRPCInferenceServiceBase.ModelStreamInfer)] = new(Roles.Submit),
        [nameof(GRPCInferenceServiceBase.RepositoryModelLoad)] = new(Roles.Admin, "model.load"),
        [nameof(GRPCInferenceServiceBase.RepositoryModelUnload)] = new(Roles.Admin, "model.unload"),
    }.ToFrozenDictionary();

    public static void AddGrpcApi(this IServiceCollection services)
    {
        services.AddSettings("Grpc",
            new SettingRule<GrpcOptions>("Url", o => o.Url.Length == 0 || ListenAddress.IsValid(o.Url), o => $"'{o.Url}' is not an address like http://127.0.0.1:8001, nor empty"));
        services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<RefusalInterceptor>();
            grpc.IgnoreUnknownServices = true; // they are refused as every unknown path is
        });
        services.AddOptions<GrpcServiceOptions>().Configure<HttpOptions>((grpc, http) => grpc.MaxReceiveMessageSize = checked((int)http.MaxBodyBytes));
        services.AddGrpcReflection();
        services.AddLogging(logs => logs.AddFilter("Grpc", LogLevel.Critical)); // what a client did wrong is his, and what we did is logged by Refusals
        services.AddSingleton<RefusalInterceptor>();
        services.AddSingleton<ModelInfer>();
        services.AddSingleton<ModelStream>();
        services.AddSingleton<ModelCalls>();
    }

    public static void MapGrpc(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<InferenceService>().Add(endpoint =>
        {
            var method = endpoint.Metadata.OfType<GrpcMethodMetadata>().Single().Method.Name;
            endpoint.Metadata.Add(Needs[method]);
            endpoint.Metadata.Add(new EndpointNameMetadata($"Grpc{method}"));
        });
        routes.MapGrpcService<HealthService>().NeedsNothing();
        routes.MapGrpcReflectionService().NeedsNothing();
    }
}
