using System.Text.Json;
using Millrace.Api.Errors;

namespace Millrace.Api.Models;

/// <summary>The bodies of the repository's calls. They bring no model: what is loaded lies in the repository's folder, and nothing is ever written there.</summary>
/// <remarks>Source: Triton's model repository extension.</remarks>
internal static class RepositoryRequest
{
    /// <summary>Of the index: whether only what is ready is asked for.</summary>
    /// <exception cref="RefusedException">400: it is not the protocol's.</exception>
    public static bool OnlyReady(ReadOnlyMemory<byte> body) => Read(body, """{"ready": true}""", request => request.TryGetProperty("ready", out var ready) && ready.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        var kind => throw Invalid($"ready must be true or false, not {kind.ToString().ToLowerInvariant()}."),
    });

    /// <summary>Of a load or unload.</summary>
    /// <exception cref="RefusedException">400: it is not the protocol's, or brings a model along.</exception>
    public static void Check(ReadOnlyMemory<byte> body) => Read(body, """{"parameters": {}}""", request =>
    {
        if (!request.TryGetProperty("parameters", out var parameters))
            return false;
        if (parameters.ValueKind != JsonValueKind.Object)
            throw Invalid("parameters must be an object.");
        foreach (var parameter in parameters.EnumerateObject())
            Check(parameter.Name, parameter.Value.ValueKind);
        return true;
    });

    /// <exception cref="RefusedException">400: the parameter brings a model along.</exception>
    public static void Check(string parameter)
    {
        if (parameter == "config" || parameter.StartsWith("file:", StringComparison.Ordinal))
            throw Invalid("Models and their settings come from the repository's folder only; config and file: can't be sent along. Put them there, then load without parameters.");
    }

    private static void Check(string name, JsonValueKind kind)
    {
        Check(name);
        if (name == "unload_dependents" && kind is not (JsonValueKind.True or JsonValueKind.False)) // no model here depends on another
            throw Invalid("Parameter unload_dependents must be true or false.");
        if (kind is not (JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False))
            throw Invalid("A parameter must be a string, a number or a boolean.");
    }

    private static bool Read(ReadOnlyMemory<byte> body, string example, Func<JsonElement, bool> read)
    {
        if (body.IsEmpty)
            return false;
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object ? read(json.RootElement) : throw Invalid($"The body must be empty or an object like {example}.");
        }
        catch (InvalidOperationException) // a name that is not valid Unicode
        {
            throw new RefusedException(ErrorCode.InvalidJson, "The body has a string that is not valid Unicode.");
        }
        catch (JsonException error)
        {
            throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message}");
        }
    }

    private static RefusedException Invalid(string detail) => new(ErrorCode.InvalidRequest, detail);
}
