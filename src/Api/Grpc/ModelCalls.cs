using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Http;
using Millrace.Api.Models;
using ModelStatistics = Millrace.Api.Models.ModelStatistics;

namespace Millrace.Api.Grpc;

/// <summary>The extensions' calls about models: what HTTP answers, as messages.</summary>
internal sealed class ModelCalls(ModelCatalog catalog, ModelStatistics statistics, ModelWishes wishes)
{
    /// <summary>The messages have the members of the JSON and some more.</summary>
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public ModelConfigResponse Configuration(HttpContext context, string model, string? version) =>
        new() { Config = Message<ModelConfiguration, ModelConfig>(ModelConfiguration.From(catalog.Loaded(context.Tenant(), model, version)), ApiJson.Default.ModelConfiguration) };

    /// <param name="model">Empty for all.</param>
    public async Task<ModelStatisticsResponse> StatisticsAsync(HttpContext context, string model, string? version, CancellationToken cancellation)
    {
        if (model.Length == 0 && version is not null)
            throw new RefusedException(ErrorCode.InvalidRequest, "A version needs the name of its model.");
        var read = await statistics.ReadAsync(context.Tenant(), model.Length == 0 ? null : model, version, cancellation);
        return Message<StatisticsList, ModelStatisticsResponse>(new StatisticsList(read.Select(StatisticsView.From).ToArray()), ApiJson.Default.StatisticsList);
    }

    public RepositoryIndexResponse Index(HttpContext context, bool readyOnly) => new()
    {
        Models =
        {
            ModelEndpoints.Index(catalog, context.Tenant(), readyOnly)
                .Select(e => new RepositoryIndexResponse.Types.ModelIndex { Name = e.Name, Version = e.Version, State = e.State, Reason = e.Reason ?? "" }),
        },
    };

    public async Task LoadAsync(HttpContext context, string model, MapField<string, ModelRepositoryParameter> parameters, CancellationToken cancellation)
    {
        Check(parameters);
        await wishes.LoadAsync(model, context.Audit(model), cancellation);
    }

    public async Task UnloadAsync(HttpContext context, string model, MapField<string, ModelRepositoryParameter> parameters, CancellationToken cancellation)
    {
        Check(parameters);
        await wishes.UnloadAsync(model, context.Audit(model), cancellation);
    }

    private static void Check(MapField<string, ModelRepositoryParameter> parameters)
    {
        foreach (var (name, value) in parameters)
        {
            RepositoryRequest.Check(name);
            if (name == "unload_dependents" && value.ParameterChoiceCase != ModelRepositoryParameter.ParameterChoiceOneofCase.BoolParam)
                throw new RefusedException(ErrorCode.InvalidRequest, "Parameter unload_dependents must be a bool_param.");
        }
    }

    private static TMessage Message<TView, TMessage>(TView view, JsonTypeInfo<TView> type) where TMessage : IMessage, new() => Parser.Parse<TMessage>(JsonSerializer.Serialize(view, type));
}
