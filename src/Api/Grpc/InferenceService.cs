using Grpc.Core;
using Millrace.Api.Access;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Health;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;

namespace Millrace.Api.Grpc;

/// <summary>The protocol's service: the same facts and the same lane as under /v2.</summary>
internal sealed class InferenceService(ModelCatalog catalog, ModelInfer infer, ModelStream stream, ModelCalls models, Draining draining) : GRPCInferenceService.GRPCInferenceServiceBase
{
    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) => Task.FromResult(new ServerLiveResponse { Live = true });

    public override Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerReadyResponse { Ready = ApiChecks.WhyNotReady(draining, catalog) is null });

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context)
    {
        var server = ModelEndpoints.Ours;
        return Task.FromResult(new ServerMetadataResponse { Name = server.Name, Version = server.Version, Extensions = { server.Extensions } });
    }

    /// <summary>Not ready is an answer here and no failure; unknown is one.</summary>
    public override Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ModelReadyResponse { Ready = catalog.Known(Tenant(context), request.Name, VersionOf(request.Version)).IsReady });

    public override Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context)
    {
        var metadata = ModelEndpoints.MetadataOf(catalog, Tenant(context), request.Name, VersionOf(request.Version));
        return Task.FromResult(new ModelMetadataResponse
        {
            Name = metadata.Name,
            Versions = { metadata.Versions },
            Platform = metadata.Platform,
            Inputs = { metadata.Inputs.Select(Message) },
            Outputs = { metadata.Outputs.Select(Message) },
            Properties = { metadata.Properties.ToDictionary() },
        });

        static ModelMetadataResponse.Types.TensorMetadata Message(TensorMetadata tensor) => new() { Name = tensor.Name, Datatype = tensor.Datatype, Shape = { tensor.Shape } };
    }

    public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context) =>
        infer.HandleAsync(context.GetHttpContext(), request, context.Deadline, context.CancellationToken);

    public override Task ModelStreamInfer(IAsyncStreamReader<ModelInferRequest> requestStream, IServerStreamWriter<ModelStreamInferResponse> responseStream, ServerCallContext context) =>
        stream.HandleAsync(context.GetHttpContext(), requestStream, responseStream, context.Deadline, context.CancellationToken);

    public override Task<ModelConfigResponse> ModelConfig(ModelConfigRequest request, ServerCallContext context) =>
        Task.FromResult(models.Configuration(context.GetHttpContext(), request.Name, VersionOf(request.Version)));

    public override Task<ModelStatisticsResponse> ModelStatistics(ModelStatisticsRequest request, ServerCallContext context) =>
        models.StatisticsAsync(context.GetHttpContext(), request.Name, VersionOf(request.Version), context.CancellationToken);

    public override Task<RepositoryIndexResponse> RepositoryIndex(RepositoryIndexRequest request, ServerCallContext context) =>
        Task.FromResult(models.Index(context.GetHttpContext(), request.Ready));

    public override async Task<RepositoryModelLoadResponse> RepositoryModelLoad(RepositoryModelLoadRequest request, ServerCallContext context)
    {
        await models.LoadAsync(context.GetHttpContext(), request.ModelName, request.Parameters, context.CancellationToken);
        return new RepositoryModelLoadResponse();
    }

    public override async Task<RepositoryModelUnloadResponse> RepositoryModelUnload(RepositoryModelUnloadRequest request, ServerCallContext context)
    {
        await models.UnloadAsync(context.GetHttpContext(), request.ModelName, request.Parameters, context.CancellationToken);
        return new RepositoryModelUnloadResponse();
    }

    /// <summary>An empty one is none, as everywhere in the protocol's messages.</summary>
    public static string? VersionOf(string version) => version.Length == 0 ? null : version;

    private static string Tenant(ServerCallContext context) => context.GetHttpContext().Tenant();
}
