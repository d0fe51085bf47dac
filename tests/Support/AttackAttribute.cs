using Xunit.v3;

namespace Millrace.Tests.Support;

/// <summary>The test makes this attack of docs/security-report.md. A row may have several tests, a test several rows.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AttackAttribute(params int[] rows) : Attribute, ITraitAttribute
{
    public IReadOnlyList<int> Rows => rows;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() =>
        rows.Select(row => KeyValuePair.Create("Attack", row.ToString(System.Globalization.CultureInfo.InvariantCulture))).ToArray();
}
