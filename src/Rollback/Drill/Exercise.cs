using System.Globalization;
using System.Text.Json.Nodes;

namespace Millrace.Rollback.Drill;

/// <summary>The faults, one after the other, what each must bring about, and the verdict.</summary>
internal sealed class Exercise(DrillOptions options, ApiClient api, Figures figures, Load load, TimeProvider time, TextWriter output)
{
    private const string CircuitOpen = "MillraceCircuitOpen", ErrorRatioHigh = "MillraceErrorRatioHigh";

    /// <summary>An order that nobody takes back ends by itself; the API takes no longer one.</summary>
    private const int MostSeconds = 3600;

    private static readonly TimeSpan ForJobs = TimeSpan.FromMinutes(3), ForTheEnd = TimeSpan.FromSeconds(20);
    private readonly long _started = time.GetTimestamp();
    private readonly List<(string Part, string What, bool IsWell, string Note)> _verdicts = [];
    private readonly List<(string When, Measures Measures)> _measures = [];

    public async Task<int> RunAsync(CancellationToken stopping)
    {
        try
        {
            if (!await api.IsChaosEnabledAsync(stopping))
                return Fail("chaos is not enabled: set MILLRACE__CHAOS__ENABLED=true and DOTNET_ENVIRONMENT=Staging on the API and the workers; drill.enabled of the chart does");
        }
        catch (Exception error) when (Faults.Outside(error, stopping)) { return Fail($"the API at {options.Api} does not answer: {error.Message}"); }
        catch (OperationCanceledException) { return Fail("told to stop"); }
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        try
        {
            await ExerciseAsync(limit.Token);
            await MeasureAsync("after", limit.Token);
        }
        catch (OperationCanceledException) { Judge("drill", "came to its end", false, stopping.IsCancellationRequested ? "told to stop" : $"not within {options.Timeout}"); }
        if (!stopping.IsCancellationRequested)
            await CountAsync(stopping);
        return Tell();
    }

    private async Task ExerciseAsync(CancellationToken cancellation)
    {
        var alerts = new[] { CircuitOpen, ErrorRatioHigh };
        foreach (var alert in alerts)
        {
            if (!await SeeAsync("before", $"{alert} does not fire", async c => !await figures.IsFiringAsync(alert, c), cancellation))
                return; // nothing could be told from an alert that fires anyway
        }
        load.Start();
        await Task.Delay(options.Warmup, time, cancellation);
        var scope = options.Scope.Length > 0 ? options.Scope : null;
        if (scope is null && !await SeeAsync("before", "Prometheus knows the active slot", async c => (scope = await figures.SlotAsync(c)) is not null, cancellation))
            return;
        await MeasureAsync("before", cancellation);
        await BreakAsync(scope!, cancellation);
        await RollBackAsync(scope!, cancellation);
    }

    private async Task BreakAsync(string scope, CancellationToken cancellation)
    {
        load.HasCalls = false; // without a broker each is a 5xx, which would roll back; jobs are accepted
        // In one slot: a circuit that is open in two versions is a fault of a shared server, for which no rollback is asked in the next 5 min.
        var order = new JsonObject { ["target"] = "broker", ["kind"] = "fault", ["rate"] = 1, ["scope"] = scope };
        await WithChaosAsync("breaker", order, async () =>
        {
            if (await SeeAsync("breaker", "the API's circuit is open", async c => await api.BrokerCircuitAsync(c) == "open", cancellation))
                await SeeAsync("breaker", $"{CircuitOpen} fires", c => figures.IsFiringAsync(CircuitOpen, c), cancellation);
        }, cancellation);
        await SeeAsync("breaker", "the API's circuit is closed", async c => await api.BrokerCircuitAsync(c) == "closed", cancellation);
        await SeeAsync("breaker", $"{CircuitOpen} is over", async c => !await figures.IsFiringAsync(CircuitOpen, c), cancellation);
        load.HasCalls = true;
    }

    private async Task RollBackAsync(string scope, CancellationToken cancellation)
    {
        var before = 0.0;
        if (!await SeeAsync("rollback", "the rollback service tells its figures", async c => (before = await figures.RollbacksAsync(c)) >= 0, cancellation))
            return;
        var order = new JsonObject { ["target"] = "model", ["kind"] = "fault", ["rate"] = 0.5, ["scope"] = scope };
        await WithChaosAsync("rollback", order, async () =>
        {
            if (!await SeeAsync("rollback", $"{ErrorRatioHigh} fires", c => figures.IsFiringAsync(ErrorRatioHigh, c), cancellation))
                return;
            await MeasureAsync("during", cancellation);
            await SeeAsync("rollback", $"{scope} is rolled back", async c => await figures.RollbacksAsync(c) > before, cancellation);
        }, cancellation);
        await SeeAsync("rollback", $"{ErrorRatioHigh} is over", async c => !await figures.IsFiringAsync(ErrorRatioHigh, c), cancellation);
    }

    /// <summary>However it goes, what was ordered is ended.</summary>
    private async Task WithChaosAsync(string part, JsonObject order, Func<Task> see, CancellationToken cancellation)
    {
        order["duration_seconds"] = (int)Math.Clamp(2 * options.Patience.TotalSeconds, 1, MostSeconds);
        Say($"{part}: {order.ToJsonString()}");
        try
        {
            await api.OrderAsync(order, cancellation);
            await see();
        }
        catch (Exception error) when (Faults.Outside(error, cancellation)) { Judge(part, "the fault is ordered", false, error.Message); }
        finally { await EndAsync(part); }
        await SeeAsync(part, "no process fails on purpose", async c =>
        {
            if (await figures.IsChaosOverAsync(c))
                return true;
            await api.EndChaosAsync(c);
            return false;
        }, cancellation);
    }

    /// <summary>Also when told to stop, so under a limit of its own. Other processes hear of it by the broker, which an open circuit does not reach at once: so it is told twice.</summary>
    private async Task EndAsync(string part)
    {
        using var limit = new CancellationTokenSource(ForTheEnd, time);
        await SeeAsync(part, "the fault is ended", async c =>
        {
            await api.EndChaosAsync(c);
            await Task.Delay(options.Poll, time, c);
            await api.EndChaosAsync(c);
            return true;
        }, limit.Token, throws: false);
    }

    private async Task CountAsync(CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(ForJobs < options.Patience ? ForJobs : options.Patience, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        await load.StopAsync(limit.Token);
        var states = await load.CountAsync(limit.Token);
        var lost = states.Where(s => s.Key is "unknown" or "unfinished").Sum(s => s.Value);
        Judge("jobs", "none is lost", load.Accepted > 0 && lost == 0 && load.Unanswered == 0 && load.Refusal is null,
            $"{load.Accepted} accepted{string.Concat(states.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $", {s.Value} {s.Key}"))}"
            + (load.Unanswered > 0 ? $"; {load.Unanswered} submissions were never answered" : "") + (load.Refusal is { } refusal ? $"; one was refused: {refusal}" : "")
            + $"; {load.FailedCalls} of {load.Calls} synchronous calls failed");
    }

    private async Task MeasureAsync(string when, CancellationToken cancellation)
    {
        try { _measures.Add((when, await figures.MeasureAsync(cancellation))); }
        catch (Exception error) when (Faults.Outside(error, cancellation)) { Judge("figures", when, false, error.Message); }
    }

    /// <summary>Looks until it is so; after the patience the verdict is that it did not happen.</summary>
    private async Task<bool> SeeAsync(string part, string what, Func<CancellationToken, Task<bool>> look, CancellationToken cancellation, bool throws = true)
    {
        var (began, note) = (time.GetTimestamp(), "");
        using var patience = new CancellationTokenSource(options.Patience, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            while (true)
            {
                try
                {
                    if (await look(limit.Token))
                        break;
                    note = "";
                }
                catch (Exception error) when (Faults.Outside(error, limit.Token)) { note = $": {error.Message}"; }
                await Task.Delay(options.Poll, time, limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            Judge(part, what, false, string.Create(CultureInfo.InvariantCulture, $"not within {time.GetElapsedTime(began).TotalSeconds:0} s{note}"));
            if (throws)
                cancellation.ThrowIfCancellationRequested();
            return false;
        }
        Judge(part, what, true, string.Create(CultureInfo.InvariantCulture, $"after {time.GetElapsedTime(began).TotalSeconds:0} s"));
        return true;
    }

    private void Judge(string part, string what, bool isWell, string note)
    {
        _verdicts.Add((part, what, isWell, note));
        Say($"{part}: {what}: {(isWell ? "yes" : "NO")}, {note}");
    }

    private void Say(string text) => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.GetElapsedTime(_started).TotalSeconds,6:0}  {text}"));

    private int Fail(string why)
    {
        output.WriteLine($"FAILED: {why}");
        return 1;
    }

    private int Tell()
    {
        static string Text(double? value, string unit, double factor) => value is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known * factor:0.#} {unit}") : "none";
        output.WriteLine();
        output.WriteLine($"{"",-8} {"P95",12} {"5xx",12}");
        foreach (var (when, measures) in _measures)
            output.WriteLine($"{when,-8} {Text(measures.P95, "ms", 1000),12} {Text(measures.Errors, "%", 100),12}");
        output.WriteLine();
        foreach (var (part, what, isWell, note) in _verdicts)
            output.WriteLine($"{(isWell ? "ok" : "FAILED"),-6}  {part,-8}  {what,-42}  {note}");
        return _verdicts.All(v => v.IsWell) ? 0 : 1;
    }
}
