using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Millrace.Rollback.Drill;

namespace Millrace.Rollback.Tests;

/// <summary>The command <c>drill</c> against an installation that does what it should, or does not.</summary>
public sealed class DrillTests
{
    [Fact]
    public async Task Given_all_is_well_When_drilled_Then_0_and_the_fault_meant_the_active_slot()
    {
        await using var installation = await Installed.StartAsync();
        var (code, output) = await installation.DrillAsync();
        Assert.True(code == 0, output);
        Assert.Equal([("broker", "fault", 1.0, "green"), ("model", "fault", 0.5, "green")],
            installation.Orders.Select(o => ((string)o["target"]!, (string)o["kind"]!, (double)o["rate"]!, (string)o["scope"]!)));
        Assert.All(installation.Orders, o => Assert.InRange((int)o["duration_seconds"]!, 1, 3600));
        Assert.InRange(installation.CallsInBrokerFault, 0, 1); // they would be errors, and roll back; one may have been under way
        Assert.Matches(@"ok +jobs +none is lost +[1-9]\d* accepted, [1-9]\d* succeeded", output);
        foreach (var when in (string[])["before", "during", "after"])
            Assert.Matches($@"{when} +120 ms +\d", output);
        installation.MustBeEnded();
    }

    [Theory]
    [InlineData(nameof(Installed.BreakerStaysClosed), "the API's circuit is open")]
    [InlineData(nameof(Installed.CircuitAlertIsSilent), "MillraceCircuitOpen fires")]
    [InlineData(nameof(Installed.ErrorAlertIsSilent), "MillraceErrorRatioHigh fires")]
    [InlineData(nameof(Installed.ErrorAlertStays), "MillraceErrorRatioHigh is over")]
    [InlineData(nameof(Installed.NeverRollsBack), "green is rolled back")]
    [InlineData(nameof(Installed.LosesAJob), "none is lost")]
    [InlineData(nameof(Installed.KeepsAJobQueued), "none is lost")]
    [InlineData(nameof(Installed.RefusesOrders), "the fault is ordered")]
    public async Task Given_something_that_does_not_happen_When_drilled_Then_1_it_is_said_and_the_chaos_is_ended(string fault, string verdict)
    {
        await using var installation = await Installed.StartAsync();
        typeof(Installed).GetProperty(fault)!.SetValue(installation, true);
        var (code, output) = await installation.DrillAsync("Millrace:Drill:Patience=00:00:01.5");
        Assert.Equal(1, code);
        Assert.Matches($@"FAILED +\w+ +{verdict}", output);
        installation.MustBeEnded();
    }

    [Fact]
    public async Task Given_an_alert_that_fires_before_When_drilled_Then_1_and_nothing_is_ordered()
    {
        await using var installation = await Installed.StartAsync();
        installation.FiresBefore = true;
        var (code, output) = await installation.DrillAsync("Millrace:Drill:Patience=00:00:01");
        Assert.Equal(1, code);
        Assert.Matches(@"FAILED +before +MillraceErrorRatioHigh does not fire", output);
        Assert.Empty(installation.Orders);
    }

    [Fact]
    public async Task Given_chaos_is_not_enabled_When_drilled_Then_1_and_what_to_set()
    {
        await using var installation = await Installed.StartAsync();
        installation.ChaosIsOff = true;
        var (code, output) = await installation.DrillAsync();
        Assert.Equal(1, code);
        Assert.Contains("MILLRACE__CHAOS__ENABLED=true", output, StringComparison.Ordinal);
        Assert.Empty(installation.Orders);
    }

    [Fact]
    public async Task Given_a_late_day_When_drilled_Then_0_and_nobody_is_called()
    {
        await using var installation = await Installed.StartAsync();
        installation.Time = new At(new DateTimeOffset(2026, 12, 8, 10, 0, 0, TimeSpan.Zero));
        var (code, output) = await installation.DrillAsync();
        Assert.Equal(0, code);
        Assert.Contains("day 8", output, StringComparison.Ordinal);
        Assert.Equal(0, installation.Requests);
    }

    [Theory]
    [InlineData("broker")]
    [InlineData("model")]
    public async Task Given_it_is_told_to_stop_When_a_fault_is_ordered_Then_1_and_the_chaos_is_ended(string target)
    {
        await using var installation = await Installed.StartAsync();
        (installation.CircuitAlertIsSilent, installation.ErrorAlertIsSilent) = (target == "broker", true);
        using var stopping = new CancellationTokenSource();
        installation.Stopping = stopping.Token;
        installation.Ordered = order =>
        {
            if ((string?)order["target"] == target)
                stopping.CancelAfter(100);
        };
        var (code, output) = await installation.DrillAsync();
        Assert.Equal(1, code);
        Assert.Contains("told to stop", output, StringComparison.Ordinal);
        installation.MustBeEnded();
    }

    [Fact]
    public void Given_bad_settings_When_read_Then_each_is_named()
    {
        var error = Assert.Throws<SettingsException>(() => DrillOptions.Read(Settings("Millrace:Drill:Api=x", "Millrace:Drill:Job={}", "Millrace:Drill:LastDay=0", "Millrace:Drill:Other=1")));
        foreach (var name in (string[])["Api: 'x'", "Prometheus: not set", "Rollback: not set", "Job:", "LastDay:", "Other: there is no such setting"])
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    /// <summary>The last of two wins.</summary>
    internal static IConfiguration Settings(params string[] settings) => new ConfigurationBuilder().AddCommandLine([.. settings.Select(s => "--" + s)]).Build();

    private sealed class At(DateTimeOffset now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
        public override DateTimeOffset GetUtcNow() => now;
    }
}

/// <summary>API, Prometheus and rollback service on one port of loopback, as a drill sees them. Green has the traffic.</summary>
internal sealed class Installed : IAsyncDisposable
{
    private const string Key = "key of the drill";
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, string> _jobs = new(); // by Idempotency-Key
    private readonly ConcurrentDictionary<string, bool> _refusedOnce = new();
    private volatile JsonObject? _order;
    private volatile bool _rolledBack;
    private int _requests, _callsInBrokerFault, _looks;

    private Installed(WebApplication app) => _app = app;

    public bool BreakerStaysClosed { get; set; }
    public bool CircuitAlertIsSilent { get; set; }
    public bool ErrorAlertIsSilent { get; set; }
    public bool ErrorAlertStays { get; set; }
    public bool FiresBefore { get; set; }
    public bool NeverRollsBack { get; set; }
    public bool LosesAJob { get; set; }
    public bool KeepsAJobQueued { get; set; }
    public bool RefusesOrders { get; set; }
    public bool ChaosIsOff { get; set; }
    public int CallsInBrokerFault => _callsInBrokerFault;
    public Action<JsonObject> Ordered { get; set; } = static _ => { };
    public ConcurrentQueue<JsonObject> Orders { get; } = [];
    public int Requests => _requests;

    public static async Task<Installed> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        var installed = new Installed(builder.Build());
        installed.Map();
        await installed._app.StartAsync(TestContext.Current.CancellationToken);
        return installed;
    }

    public TimeProvider Time { get; set; } = TimeProvider.System;
    public CancellationToken Stopping { get; set; }

    public async Task<(int Code, string Output)> DrillAsync(params string[] more)
    {
        var url = _app.Urls.First();
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var options = DrillOptions.Read(DrillTests.Settings([
            $"Millrace:Drill:Api={url}", $"Millrace:Drill:Prometheus={url}/prometheus", $"Millrace:Drill:Rollback={url}/rollback", $"Millrace:Drill:Key={Key}", "Millrace:Drill:Namespace=one",
            """Millrace:Drill:Job={"model":"digits","inference":{"inputs":[]}}""", $"Millrace:Drill:LastDay={(Time == TimeProvider.System ? 31 : 7)}", "Millrace:Drill:Warmup=00:00:00.3",
            "Millrace:Drill:Pace=00:00:00.02", "Millrace:Drill:Poll=00:00:00.02", "Millrace:Drill:Patience=00:00:20", .. more,
        ]));
        return (await DrillCommand.RunAsync(options, Time, TextWriter.Synchronized(output), Stopping), output.ToString());
    }

    public void MustBeEnded() => Assert.Null(_order);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private string? Target => (string?)_order?["target"];

    private void Map()
    {
        _app.Use((context, next) =>
        {
            Interlocked.Increment(ref _requests);
            if (!context.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal) || context.Request.Headers.Authorization == $"Bearer {Key}")
                return next(context);
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        });
        _app.MapGet("/v1/chaos", () => Results.Json(new { enabled = !ChaosIsOff, data = Array.Empty<object>() }));
        _app.MapPost("/v1/chaos", (Delegate)OrderAsync);
        _app.MapDelete("/v1/chaos", () =>
        {
            _order = null;
            return Results.NoContent();
        });
        _app.MapGet("/v1/admission", () => Results.Json(new { circuits = new { broker = Target == "broker" && !BreakerStaysClosed && ++_looks > 10 ? "open" : "closed", store = "closed" } }));
        _app.MapPost("/v1/jobs", (Delegate)Submit);
        _app.MapGet("/v1/jobs/{id}", State);
        _app.MapPost("/v2/models/digits/infer", () =>
        {
            if (Target == "broker")
                Interlocked.Increment(ref _callsInBrokerFault);
            return Results.StatusCode(Target is null ? 200 : 500);
        });
        _app.MapGet("/prometheus/api/v1/alerts", () => Results.Json(new { data = new { alerts = Firing.Select(a => new { state = "firing", labels = new { alertname = a.Name, @namespace = a.Namespace } }) } }));
        _app.MapGet("/prometheus/api/v1/query", (string query) => Results.Json(new { data = new { result = new[] { Sample(query) } } }));
        _app.MapGet("/rollback/metrics", () => $"# TYPE millrace_rollbacks_total counter\nmillrace_rollbacks_total{{outcome=\"refused\"}} 7\nmillrace_rollbacks_total{{outcome=\"rolled_back\"}} {(_rolledBack ? 4 : 3)}\n");
    }

    private IEnumerable<(string Name, string Namespace)> Firing
    {
        get
        {
            yield return ("MillraceErrorRatioHigh", "another");
            if (Target == "broker" && !BreakerStaysClosed && !CircuitAlertIsSilent)
                yield return ("MillraceCircuitOpen", "one");
            if (!ErrorAlertIsSilent && (FiresBefore || Target == "model" || (ErrorAlertStays && Orders.Count == 2)))
            {
                _rolledBack = !NeverRollsBack;
                yield return ("MillraceErrorRatioHigh", "one");
            }
        }
    }

    private object Sample(string query)
    {
        Assert.Contains("namespace=\"one\"", query, StringComparison.Ordinal);
        var value = query.Contains("chaos_active", StringComparison.Ordinal) ? (Target is null ? "0" : "1")
            : query.Contains("histogram_quantile", StringComparison.Ordinal) ? "0.12" : Target is null ? "0" : "0.5";
        return new { metric = query.StartsWith("topk", StringComparison.Ordinal) ? new Dictionary<string, string> { ["slot"] = "green" } : [], value = new object[] { 1, value } };
    }

    private async Task<IResult> OrderAsync(HttpContext context)
    {
        var order = (await JsonNode.ParseAsync(context.Request.Body))!.AsObject();
        if (RefusesOrders)
            return Results.StatusCode(409);
        Orders.Enqueue(order);
        _order = order;
        Ordered(order);
        return Results.NoContent();
    }

    /// <summary>The first answer to each key is a 503, though the job is accepted.</summary>
    private IResult Submit(HttpContext context)
    {
        var key = context.Request.Headers["Idempotency-Key"].ToString();
        var id = _jobs.GetOrAdd(key, static _ => Guid.NewGuid().ToString());
        return _refusedOnce.TryAdd(key, true) ? Results.StatusCode(503) : Results.Json(new { id, state = "queued" }, statusCode: 202);
    }

    private IResult State(string id)
    {
        var isFirst = _jobs.Values.Order(StringComparer.Ordinal).First() == id;
        if (isFirst && LosesAJob)
            return Results.NotFound();
        return Results.Json(new { id, state = isFirst && KeepsAJobQueued ? "queued" : "succeeded" });
    }
}
