using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Storage.Access;

namespace Millrace.Api.Access;

/// <summary>The body of <c>POST /v1/keys</c>.</summary>
public sealed record KeyRequest
{
    /// <summary>For people: 1 to 100 characters.</summary>
    public required string Name { get; init; }

    /// <summary>1 to 64 of A-Z a-z 0-9 . _ -; <c>default</c> when left out.</summary>
    public string Tenant { get; init; } = Caller.DefaultTenant;

    /// <summary>Any of submit, read, operate, admin; none of them includes another.</summary>
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>Seconds until it ends by itself, up to ten years; never when left out.</summary>
    public double? ExpiresIn { get; init; }

    /// <summary>Its own limit of requests in a window, instead of the default.</summary>
    public int? Requests { get; init; }
}

/// <summary>Checks what a new key is to be, from HTTP and from the command line.</summary>
internal static class NewKeys
{
    private const double LongestLife = 10 * 365.0 * 86_400;
    private const int LongestName = 100;
    private const int MostRequests = 100_000_000;

    /// <exception cref="RefusedException">400: it is no JSON, or a member is wrong.</exception>
    public static KeyRequest Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 4 });
            return json.RootElement.ValueKind == JsonValueKind.Object ? Read(json.RootElement) : throw Invalid([new FieldError("", "must be an object with name and roles")]);
        }
        catch (InvalidOperationException) { throw new RefusedException(ErrorCode.InvalidJson, "The body has a string that is not valid Unicode."); }
        catch (JsonException error) { throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message}"); }
    }

    /// <exception cref="RefusedException">400: a member is out of range.</exception>
    public static (NewApiKey Key, string Text) Make(KeyRequest request)
    {
        var errors = Check(request).ToArray();
        if (errors.Length > 0)
            throw Invalid(errors);
        var (id, text) = KeyText.New();
        var roles = request.Roles.Aggregate(Roles.None, (all, name) => all | RoleNames.Of(name)!.Value);
        return (new NewApiKey(id, KeyText.Hash(text), request.Name, request.Tenant, roles, request.Requests, request.ExpiresIn is { } seconds ? TimeSpan.FromSeconds(seconds) : null), text);
    }

    private static KeyRequest Read(JsonElement json)
    {
        var request = new KeyRequest { Name = "", Roles = [] };
        var errors = new List<FieldError>();
        foreach (var member in json.EnumerateObject())
        {
            request = (member.Name, member.Value.ValueKind) switch
            {
                ("name", JsonValueKind.String) => request with { Name = member.Value.GetString()! },
                ("tenant", JsonValueKind.String) => request with { Tenant = member.Value.GetString()! },
                ("roles", JsonValueKind.Array) => request with { Roles = member.Value.EnumerateArray().Select(r => r.ValueKind == JsonValueKind.String ? r.GetString()! : "").ToArray() },
                ("expires_in", JsonValueKind.Number) => request with { ExpiresIn = member.Value.TryGetDouble(out var seconds) ? seconds : double.NaN },
                ("requests", JsonValueKind.Number) => request with { Requests = member.Value.TryGetInt32(out var requests) ? requests : -1 },
                ("expires_in" or "requests", JsonValueKind.Null) => request,
                _ => Reject(request, member),
            };
        }
        return errors.Count == 0 ? request : throw Invalid(errors);

        KeyRequest Reject(KeyRequest same, JsonProperty member)
        {
            var what = member.Name switch
            {
                "name" or "tenant" => "must be a string",
                "roles" => "must be an array of submit, read, operate, admin",
                "expires_in" or "requests" => "must be a number",
                _ => "is not a member of a key",
            };
            errors.Add(new FieldError(JsonPointer.Step(member.Name), what));
            return same;
        }
    }

    private static IEnumerable<FieldError> Check(KeyRequest request)
    {
        if (request.Name.Length is 0 or > LongestName || request.Name.Any(char.IsControl))
            yield return new FieldError("/name", $"must be 1 to {LongestName} characters, none of them a control character");
        if (!Tokens.TenantForm().IsMatch(request.Tenant))
            yield return new FieldError("/tenant", "must be 1 to 64 of A-Z a-z 0-9 . _ -");
        if (request.Roles.Count == 0 || request.Roles.Any(r => RoleNames.Of(r) is null))
            yield return new FieldError("/roles", "must name one or more of submit, read, operate, admin");
        if (request.ExpiresIn is { } seconds && seconds is not (>= 1 and <= LongestLife))
            yield return new FieldError("/expires_in", $"must be from 1 to {LongestLife} seconds");
        if (request.Requests is { } requests && requests is not (>= 1 and <= MostRequests))
            yield return new FieldError("/requests", $"must be from 1 to {MostRequests}");
    }

    private static RefusedException Invalid(IReadOnlyList<FieldError> errors) => new(new Refusal(ErrorCode.InvalidRequest, $"{errors[0].Pointer} {errors[0].Detail}.") { Errors = errors });
}
