using System.Collections.Frozen;

namespace Millrace.Api.Access;

/// <summary>Which tenants may see which model. What one may not see is, to him, not there.</summary>
internal sealed class ModelAccess(AccessOptions options)
{
    private readonly FrozenDictionary<string, FrozenSet<string>> _private = options.Models.ToFrozenDictionary(
        m => m.Key, m => m.Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).ToFrozenSet());

    public bool IsVisible(string model, string tenant) => !_private.TryGetValue(model, out var tenants) || tenants.Contains(tenant);
}
