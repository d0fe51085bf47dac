using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Chaos;
using Millrace.Messages;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;

namespace Millrace.Api.Chaos;

/// <summary>What shall go wrong.</summary>
public sealed record ChaosRequest
{
    // set and not init: generated code gives an init-only property that is left out no default
    /// <summary>broker, store or model.</summary>
    public string? Target { get; set; }

    /// <summary>latency: calls take longer; fault: calls fail; outcome: a message is confirmed and lost (broker), or a run gives what can't be read (model).</summary>
    public string? Kind { get; set; }

    /// <summary>Share of calls, above 0, up to 1.</summary>
    public double Rate { get; set; } = 1;

    /// <summary>What latency adds. 1 to 60,000.</summary>
    public int LatencyMs { get; set; } = 1000;

    /// <summary>When it ends by itself. 1 to 3,600.</summary>
    public int DurationSeconds { get; set; }

    /// <summary>Only processes with this Millrace:Chaos:Scope; empty for all.</summary>
    public string Scope { get; set; } = "";
}

/// <param name="Until">When it ends by itself.</param>
public sealed record ChaosView(string Target, string Kind, double Rate, int LatencyMs, DateTime Until, string Scope);

/// <param name="Enabled">Whether this process obeys orders.</param>
public sealed record ChaosList(bool Enabled, IReadOnlyList<ChaosView> Data);

internal static class ChaosEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static void MapChaos(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/chaos").WithTags("Chaos");
        group.MapGet("/", (Delegate)ReadAsync).Needs(Roles.Operate | Roles.Admin).WithName("ReadChaos").WithSummary("What is made to go wrong in this process now").Produces<ChaosList>();
        group.MapPost("/", OrderAsync).Needs(Roles.Admin, "chaos.order").WithName("OrderChaos").WithSummary("Make calls to broker, store or model go wrong for a while, in every process that has chaos enabled")
            .Accepts<ChaosRequest>("application/json", "*/*").Produces(204).Produces<Problem>(400, ProblemJson).Produces<Problem>(409, ProblemJson);
        group.MapDelete("/", EndAsync).Needs(Roles.Admin, "chaos.end").WithName("EndChaos").WithSummary("End all of it").Produces(204).Produces<Problem>(409, ProblemJson);
    }

    private static Task ReadAsync(HttpContext context, ChaosSwitch chaos)
    {
        Queries.AllowOnly(context.Request);
        var orders = chaos.Active.Select(o => new ChaosView(o.Order.Target, o.Order.Kind, o.Order.Rate, o.Order.LatencyMs, o.Until.UtcDateTime, o.Order.Scope));
        return JsonBody.WriteAsync(context, new ChaosList(chaos.IsEnabled, [.. orders]), ApiJson.Default.ChaosList);
    }

    private static async Task OrderAsync(HttpContext context, ChaosSwitch chaos, IEventBus events, IAuditStore audit, HttpOptions options)
    {
        Queries.AllowOnly(context.Request);
        MustBeEnabled(chaos);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var request = Read(body.Bytes);
        var order = new ChaosOrder
        {
            Target = request.Target!,
            Kind = request.Kind!,
            Rate = request.Rate,
            LatencyMs = request.LatencyMs,
            DurationSeconds = request.DurationSeconds,
            Scope = request.Scope,
        };
        await audit.AddAsync(context.Audit(order.Target) with { Detail = $"{order.Kind} at {order.Rate} for {order.DurationSeconds} s" }, context.RequestAborted);
        await SendAsync(chaos, events, order);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task EndAsync(HttpContext context, ChaosSwitch chaos, IEventBus events, IAuditStore audit)
    {
        Queries.AllowOnly(context.Request);
        MustBeEnabled(chaos);
        foreach (var target in ChaosTargets.All)
            await SendAsync(chaos, events, new ChaosOrder { Target = target, Kind = ChaosTargets.None }); // first, since it may be what keeps the record from being written
        await audit.AddAsync(context.Audit("all"), context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <summary>Here at once: a broker that was made to fail may not carry it.</summary>
    private static Task SendAsync(ChaosSwitch chaos, IEventBus events, ChaosOrder order)
    {
        chaos.Obey(order);
        return events.PublishAsync(order, CancellationToken.None);
    }

    private static void MustBeEnabled(ChaosSwitch chaos)
    {
        if (!chaos.IsEnabled)
            throw new RefusedException(ErrorCode.Conflict, "Chaos is not enabled here: set Millrace:Chaos:Enabled, in an environment that is not Production.");
    }

    private static ChaosRequest Read(ReadOnlyMemory<byte> body)
    {
        ChaosRequest request;
        try { request = JsonSerializer.Deserialize(body.Span, ChaosJson.Default.ChaosRequest) ?? new ChaosRequest(); }
        catch (JsonException error) { throw new RefusedException(ErrorCode.InvalidRequest, $"The body can't be read: {error.Message}"); }
        var errors = Faults(request).ToArray();
        return errors.Length == 0 ? request : throw new RefusedException(new Refusal(ErrorCode.InvalidRequest, $"{errors[0].Pointer} {errors[0].Detail}.") { Errors = errors });
    }

    private static IEnumerable<FieldError> Faults(ChaosRequest request)
    {
        if (request.Target is null || !ChaosTargets.All.Contains(request.Target))
            yield return new FieldError("/target", $"must be one of {string.Join(", ", ChaosTargets.All)}");
        if (request.Kind is null || !ChaosTargets.Kinds.Contains(request.Kind))
            yield return new FieldError("/kind", $"must be one of {string.Join(", ", ChaosTargets.Kinds)}");
        if (request is { Target: ChaosTargets.Store, Kind: ChaosTargets.Outcome })
            yield return new FieldError("/kind", "must be latency or fault for the store: one that lies would break what chaos is there to prove");
        if (request.Rate is not (> 0 and <= 1))
            yield return new FieldError("/rate", "must be above 0 and up to 1");
        if (request.LatencyMs is < 1 or > 60_000)
            yield return new FieldError("/latency_ms", "must be from 1 to 60000");
        if (request.DurationSeconds is < 1 or > ChaosTargets.LongestSeconds)
            yield return new FieldError("/duration_seconds", $"must be given, from 1 to {ChaosTargets.LongestSeconds}");
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ChaosRequest))]
internal sealed partial class ChaosJson : JsonSerializerContext;
