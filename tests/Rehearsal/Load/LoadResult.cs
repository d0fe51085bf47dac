namespace Millrace.Rehearsal.Load;

/// <param name="P50">And the others: milliseconds.</param>
/// <param name="NotOk">Answers other than 200, by status; and what got no answer.</param>
/// <param name="Cpu">Of the load tool itself.</param>
internal sealed record LoadResult(double PerSecond, double P50, double P95, double P99, IReadOnlyList<string> NotOk, TimeSpan Cpu);
