using Microsoft.AspNetCore.Http;

namespace Millrace.Tests.Support.Kubernetes;

/// <summary>A request in Kubernetes' own terms.</summary>
/// <param name="Verb">get, list, create, update, patch, delete.</param>
/// <param name="Resource">With its subresource, as deployments/scale.</param>
/// <param name="Name">Empty for a collection.</param>
public sealed record Call(string Verb, string Group, string Namespace, string Resource, string Name, string Path, string ContentType, string Body)
{
    public bool IsScale => Resource.EndsWith("/scale", StringComparison.Ordinal);

    /// <summary>Without the subresource.</summary>
    public string ObjectPath => IsScale ? Path[..^"/scale".Length] : Path;

    public static Call From(HttpRequest request, string body)
    {
        var path = request.Path.Value!;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        // /api/v1/namespaces/NS/RESOURCE[/NAME[/SUB]] or /apis/GROUP/VERSION/namespaces/...
        var (group, rest) = parts is ["apis", var named, _, .. var behind] ? (named, behind) : ("", parts[Math.Min(2, parts.Length)..]);
        var (space, resource, name, sub) = rest switch
        {
            ["namespaces", var n, var r] => (n, r, "", ""),
            ["namespaces", var n, var r, var o] => (n, r, o, ""),
            ["namespaces", var n, var r, var o, var s] => (n, r, o, s),
            _ => ("", path, "", ""),
        };
        var verb = request.Method switch
        {
            "GET" => name.Length > 0 ? "get" : request.Query.ContainsKey("watch") ? "watch" : "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            var other => other.ToLowerInvariant(),
        };
        return new Call(verb, group, space, sub.Length > 0 ? $"{resource}/{sub}" : resource, name, path, request.ContentType?.Split(';')[0] ?? "", body);
    }
}

/// <summary>A rule of a Role in one namespace. Without names it is for all, as it must be for create.</summary>
public sealed record Grant(string Namespace, string Group, string[] Resources, string[] Names, string[] Verbs)
{
    public bool Covers(Call call) => call.Namespace == Namespace && call.Group == Group && Resources.Contains(call.Resource) && Verbs.Contains(call.Verb)
        && (Names.Length == 0 || Names.Contains(call.Name));
}
