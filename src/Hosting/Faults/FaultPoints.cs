using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Millrace.Hosting.Faults;

/// <summary>Named places in the code where a test can make something fail. Refused when the environment is Production.</summary>
public sealed class FaultPoints
{
    private readonly Dictionary<string, Fault> _faults;
    private readonly ConcurrentDictionary<string, int> _hits = new();

    /// <param name="plan">As <c>in_run:flaky=throw@2,after_claim=kill@5</c>: at this point, for this subject (left out: any), throw on the first two hits; or
    /// die by SIGKILL at the fifth.</param>
    /// <exception cref="FormatException">The plan can't be read.</exception>
    public FaultPoints(string plan)
    {
        var faults = plan.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Fault.Parse).ToArray();
        if (faults.GroupBy(f => f.Point).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new FormatException($"{twice.Key} is named twice.");
        if (faults.Select(f => f.Point.Split(':')[0]).Except(Points.All).FirstOrDefault() is { } unknown)
            throw new FormatException($"there is no point '{unknown}'; known: {string.Join(", ", Points.All.Order())}.");
        _faults = faults.ToDictionary(f => f.Point);
    }

    /// <param name="point">The place; see <see cref="Points"/>.</param>
    /// <param name="subject">What it is about to do it to, as a model's name.</param>
    /// <exception cref="InjectedFaultException">The plan says so.</exception>
    public void Hit(string point, string subject)
    {
        if (_faults.Count == 0)
            return;
        if (!_faults.TryGetValue($"{point}:{subject}", out var fault) && !_faults.TryGetValue(point, out fault))
            return;
        var hits = _hits.AddOrUpdate(fault.Point, 1, (_, before) => before + 1);
        if (fault.Kills && hits == fault.Hits)
            KillSelf();
        if (!fault.Kills && hits <= fault.Hits)
            throw new InjectedFaultException($"Fault point {fault.Point}.");
    }

    /// <summary>As a machine that loses its power: no handler, no flush, nothing disposed.</summary>
    private static void KillSelf()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
        new ManualResetEventSlim().Wait();
    }

    private sealed record Fault(string Point, bool Kills, int Hits)
    {
        public static Fault Parse(string text)
        {
            var parts = text.Split('=', '@');
            if (parts is not [var point, "throw" or "kill", var hits] || !int.TryParse(hits, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count == 0)
                throw new FormatException($"'{text}' is not of the form point[:subject]=throw@hits or point[:subject]=kill@hit.");
            return new Fault(point, parts[1] == "kill", count);
        }
    }
}

/// <summary>The places, in the order of a job's way.</summary>
public static class Points
{
    public const string BeforeInsert = "before_insert";
    public const string AfterCommit = "after_commit";
    public const string BeforePublish = "before_publish";
    public const string AfterPublish = "after_publish";
    public const string AfterRefill = "after_refill";
    public const string OnDelivery = "on_delivery";
    public const string AfterClaim = "after_claim";
    public const string InRun = "in_run";
    public const string AfterRun = "after_run";
    public const string AfterFinish = "after_finish";
    public const string InRenew = "in_renew";
    public const string AfterTakeBack = "after_take_back";
    public const string AfterDeficit = "after_deficit";
    public const string AfterPurge = "after_purge";

    public static readonly IReadOnlyList<string> All =
    [
        BeforeInsert, AfterCommit, BeforePublish, AfterPublish, AfterRefill, OnDelivery, AfterClaim, InRun, AfterRun, AfterFinish, InRenew,
        AfterTakeBack, AfterDeficit, AfterPurge,
    ];
}

/// <summary>Faults to inject, for tests.</summary>
public sealed class FaultOptions
{
    /// <summary>Faults to inject at named places: <c>point[:subject]=throw@hits</c> or <c>point[:subject]=kill@hit</c>, by commas. The environment must not be Production, which it is unless <c>DOTNET_ENVIRONMENT</c> says otherwise.</summary>
    public string Plan { get; set; } = "";
}

/// <summary>A failure that a test asked for.</summary>
public sealed class InjectedFaultException : Exception
{
    public InjectedFaultException() { }
    public InjectedFaultException(string message) : base(message) { }
    public InjectedFaultException(string message, Exception inner) : base(message, inner) { }
}
