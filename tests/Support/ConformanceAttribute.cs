using Xunit.v3;

namespace Millrace.Tests.Support;

/// <summary>The test proves this line of docs/conformance.md. A line may have several tests, a test several lines.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ConformanceAttribute(params int[] lines) : Attribute, ITraitAttribute
{
    public IReadOnlyList<int> Lines => lines;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() =>
        lines.Select(line => KeyValuePair.Create("Conformance", line.ToString(System.Globalization.CultureInfo.InvariantCulture))).ToArray();
}
