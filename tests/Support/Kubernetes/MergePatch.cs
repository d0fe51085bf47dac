using System.Text.Json.Nodes;

namespace Millrace.Tests.Support.Kubernetes;

/// <summary>How a patch becomes an object. Source: RFC 7386; Kubernetes' strategic merge patch, as far as containers and env need it.</summary>
public static class MergePatch
{
    public static JsonObject Apply(JsonObject target, JsonObject patch) => Merge(target, patch, lists: false);

    public static JsonObject ApplyStrategic(JsonObject target, JsonObject patch) => Merge(target, patch, lists: true);

    private static JsonObject Merge(JsonObject target, JsonObject patch, bool lists)
    {
        var result = target.DeepClone().AsObject();
        foreach (var (key, value) in patch)
        {
            if (value is null)
                result.Remove(key);
            else if (value is JsonObject inner)
                result[key] = Merge(result[key] as JsonObject ?? [], inner, lists);
            else if (lists && value is JsonArray items && result[key] is JsonArray present && key is "containers" or "initContainers" or "env")
                result[key] = Join((JsonArray)result[key]!, (JsonArray)value);
            else
                result[key] = value.DeepClone();
        }
        return result;
    }

    private static JsonArray Join(JsonArray present, JsonArray items)
    {
        var joined = present.DeepClone().AsArray();
        foreach (var item in items.Select(i => i!.AsObject()))
        {
            var at = joined.ToList().FindIndex(p => (string?)p!["name"] == (string?)item["name"]);
            if (at < 0)
                joined.Add(item.DeepClone());
            else
                joined[at] = Merge(joined[at]!.AsObject(), item, lists: true);
        }
        return joined;
    }
}
