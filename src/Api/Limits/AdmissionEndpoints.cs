using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Backlog;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Hosting.Broker;
using Millrace.Hosting.Resilience;
using Millrace.Hosting.Servers;
using Millrace.Storage.Access;

namespace Millrace.Api.Limits;

/// <summary>What this replica admits now.</summary>
/// <param name="Open">Callers need no key.</param>
/// <param name="Circuits">Of <c>broker</c> and <c>store</c>: closed, open or half_open.</param>
/// <param name="BrokerAlarm">Why the broker takes no messages though it is there, else null.</param>
/// <param name="Refused">Requests by code, since the process began.</param>
public sealed record AdmissionView(
    bool Open, UseView Requests, UseView Waits, UseView BodyBytes, int CountedCallers, IReadOnlyDictionary<string, string> Circuits, string? BrokerAlarm,
    IReadOnlyList<ModelAdmission> Models, IReadOnlyDictionary<string, long> Refused);

public sealed record UseView(long InUse, long Limit);

/// <param name="DrainPerSecond">Jobs that end in a second while jobs wait; null when nothing can be said.</param>
/// <param name="EstimatedWait">Seconds that a job of the whole queue's end would wait; null when nothing can be said.</param>
/// <param name="SyncRequests">Requests on their callers' connections, in work or waiting in this replica.</param>
/// <param name="SyncWait">Seconds that a further one would wait here.</param>
public sealed record ModelAdmission(string Model, long Queued, long Running, double? DrainPerSecond, double? EstimatedWait, int SyncRequests, double? SyncPerSecond, double SyncWait);

internal static class AdmissionEndpoints
{
    public static void MapAdmission(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("/v1/admission").WithTags("Queues").MapGet("/", ReadAsync).Needs(Roles.Operate).WithName("ReadAdmission")
            .WithSummary("What this replica has in hand, what it would refuse, and what it refused").Produces<AdmissionView>();

    private static Task ReadAsync(
        HttpContext context, OpenServer open, InFlight inFlight, LimitsOptions limits, RateLimiter rates, IBrokerState broker, StoreBreaker store, BacklogMeter backlog,
        SyncLane lane, ModelCatalog catalog, AdmissionMetrics metrics)
    {
        Queries.AllowOnly(context.Request);
        var sync = lane.State.ToDictionary(m => m.Model);
        var models = catalog.All.Select(m => m.Name).Union(backlog.Models).Union(sync.Keys).Order(StringComparer.Ordinal).Select(model => View(model, backlog, sync.GetValueOrDefault(model))).ToArray();
        var circuits = new Dictionary<string, string> { ["broker"] = Name(broker.Circuit), ["store"] = Name(store.Breaker.State) };
        return JsonBody.WriteAsync(context, new AdmissionView(open.IsOpen, new UseView(inFlight.Requests, limits.MaxRequests), new UseView(inFlight.Waits, limits.MaxWaits),
            new UseView(inFlight.BodyBytes, limits.MaxBodyMemory), rates.Counted, circuits, broker.Alarm, models, metrics.Refused), ApiJson.Default.AdmissionView);
    }

    private static ModelAdmission View(string model, BacklogMeter backlog, (string Model, int Requests, double? PerSecond, TimeSpan Wait) sync)
    {
        var rate = backlog.PerSecond(model);
        var queued = backlog.Queued(model);
        return new ModelAdmission(model, queued, backlog.Running(model), Round(rate), Round(queued / rate), sync.Requests, Round(sync.PerSecond), Math.Round(sync.Wait.TotalSeconds, 3));
    }

    private static double? Round(double? value) => value is { } known ? Math.Round(known, 3) : null;

    private static string Name(Circuit circuit) => circuit switch
    {
        Circuit.Closed => "closed",
        Circuit.Open => "open",
        _ => "half_open",
    };
}
