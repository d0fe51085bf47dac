namespace Millrace.Rehearsal.Scaling;

/// <summary>The arithmetic of Kubernetes' autoscaler for one external metric with a target of type AverageValue.</summary>
/// <remarks>Sources: the page "Horizontal Pod Autoscaling" of Kubernetes' documentation, and what replica_calculator.go does with it.</remarks>
public static class Replicas
{
    /// <summary>The controller manager's default: a change below a tenth is not worth making.</summary>
    public const double Tolerance = 0.10;

    /// <param name="metric">Messages in all.</param>
    /// <param name="value">Messages for each replica.</param>
    /// <param name="current">Replicas that there are, the ones that are not ready among them; at least 1.</param>
    public static int Propose(double metric, double value, int current)
    {
        var ratio = metric / (value * current);
        return ratio is >= 1 - Tolerance and <= 1 + Tolerance ? current : (int)Math.Ceiling(metric / value);
    }
}
