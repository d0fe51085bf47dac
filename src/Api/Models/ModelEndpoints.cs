using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Storage.Access;

namespace Millrace.Api.Models;

internal static class ModelEndpoints
{
    /// <summary>Only what is really built.</summary>
    private static readonly string[] Extensions =
        ["binary_tensor_data", "classification", "model_repository", "model_configuration", "parameters", "schedule_policy", "statistics"];

    /// <summary>Who sends tensors must see what the model takes.</summary>
    private const Roles Reading = Roles.Read | Roles.Submit;

    private static readonly string Version =
        typeof(ModelEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    internal static ServerMetadata Ours { get; } = new("millrace", Version, Extensions);

    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v2").WithTags("Models");
        group.MapGet("/", (Delegate)Server).NeedsSomebodyKnown().WithName("ServerMetadata").WithSummary("Name, version and extensions of this server").Produces<ServerMetadata>();
        group.MapGet("/models", List).Needs(Reading).WithName("ListModels").WithSummary("Names of all models").Produces<ModelList>();
        foreach (var path in (string[])["/models/{model}", "/models/{model}/versions/{version}"])
        {
            var name = path.EndsWith("{version}", StringComparison.Ordinal) ? "Version" : "";
            group.MapGet(path, Metadata).Needs(Reading).WithName($"Model{name}Metadata").WithSummary("Inputs, outputs and versions of a model")
                .Produces<ModelMetadata>().Produces<ProtocolError>(404);
            group.MapGet($"{path}/ready", Ready).Needs(Reading).WithName($"Model{name}Ready").WithSummary("Whether a model can serve now")
                .Produces<ModelReadiness>().Produces<ProtocolError>(404).Produces<ProtocolError>(503);
            group.MapGet($"{path}/config", ReadConfiguration.HandleAsync).Needs(Reading).WithName($"Model{name}Config").WithSummary("How a model is run")
                .Produces<ModelConfiguration>().Produces<ProtocolError>(404);
            group.MapGet($"{path}/stats", ReadStatistics.HandleAsync).Needs(Reading).WithName($"Model{name}Statistics").WithSummary("What a model has done, on all workers")
                .Produces<StatisticsList>().Produces<ProtocolError>(404);
        }
        group.MapGet("/models/stats", ReadStatistics.HandleAsync).Needs(Reading).WithName("Statistics").WithSummary("What all models have done, on all workers").Produces<StatisticsList>();
        group.MapPost("/repository/index", IndexAsync).Needs(Reading).WithName("RepositoryIndex").WithSummary("All versions of all models with their states")
            .Produces<IReadOnlyList<IndexEntry>>();
        Describe(group.MapPost("/repository/models/{model}/load", LoadModel.HandleAsync)).Needs(Roles.Admin, "model.load").WithName("LoadModel")
            .WithSummary("Load a model of the repository, or load it anew, on every worker").Produces<ModelLoaded>();
        Describe(group.MapPost("/repository/models/{model}/unload", UnloadModel.HandleAsync)).Needs(Roles.Admin, "model.unload").WithName("UnloadModel")
            .WithSummary("Unload a model on every worker; its jobs wait until it is loaded again").Produces<ModelUnloaded>();
    }

    private static RouteHandlerBuilder Describe(RouteHandlerBuilder route) =>
        route.Produces<ProtocolError>(400).Produces<ProtocolError>(404).Produces<ProtocolError>(503).Produces<ProtocolError>(504);

    private static Task Server(HttpContext context) =>
        JsonBody.WriteAsync(context, Ours, ApiJson.Default.ServerMetadata);

    private static Task List(HttpContext context, ModelCatalog catalog) =>
        JsonBody.WriteAsync(context, new ModelList(catalog.VisibleTo(context.Tenant()).Select(m => m.Name).ToArray()), ApiJson.Default.ModelList);

    private static Task Metadata(HttpContext context, ModelCatalog catalog, string model) =>
        JsonBody.WriteAsync(context, MetadataOf(catalog, context.Tenant(), model, VersionOf(context)), ApiJson.Default.ModelMetadata);

    internal static ModelMetadata MetadataOf(ModelCatalog catalog, string tenant, string model, string? version)
    {
        var found = catalog.Loaded(tenant, model, version);
        return ModelMetadata.From(catalog.Find(model)!, found);
    }

    private static Task Ready(HttpContext context, ModelCatalog catalog, string model)
    {
        catalog.Ready(context.Tenant(), model, VersionOf(context));
        return JsonBody.WriteAsync(context, new ModelReadiness(model, true), ApiJson.Default.ModelReadiness);
    }

    /// <summary>The path's version, if it has one. A parameter of this name would be taken from the query where the path has none.</summary>
    internal static string? VersionOf(HttpContext context) => context.Request.RouteValues["version"] as string;

    private static async Task IndexAsync(HttpContext context, ModelCatalog catalog, HttpOptions options)
    {
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var readyOnly = RepositoryRequest.OnlyReady(body.Bytes);
        await JsonBody.WriteAsync(context, Index(catalog, context.Tenant(), readyOnly), ApiJson.Default.IReadOnlyListIndexEntry);
    }

    internal static IReadOnlyList<IndexEntry> Index(ModelCatalog catalog, string tenant, bool readyOnly) =>
        catalog.VisibleTo(tenant).SelectMany(m => m.Versions).Where(v => v.IsReady || !readyOnly).Select(IndexEntry.From).ToArray();
}
