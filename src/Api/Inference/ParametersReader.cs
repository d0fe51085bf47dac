using System.Text.Json;
using Millrace.Api.Errors;

namespace Millrace.Api.Inference;

/// <summary>Reads a <c>parameters</c> object: strings, numbers and booleans, of which we know some.</summary>
internal static class ParametersReader
{
    public static void Read(ref Utf8JsonReader json, string what, out InferenceSettings settings)
    {
        settings = default;
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
            throw Invalid($"{char.ToUpperInvariant(what[0])}{what[1..]} must be an object.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (json.TokenType is not (JsonTokenType.String or JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False))
                throw Invalid($"Parameter {Printable(name)} must be a string, a number or a boolean.");
            settings = Apply(settings, name, ref json);
        }
    }

    private static InferenceSettings Apply(InferenceSettings settings, string name, ref Utf8JsonReader json)
    {
        if (name.StartsWith("triton_", StringComparison.Ordinal))
            throw Invalid($"Parameter {Printable(name)}: names that begin with triton_ are reserved.");
        return name switch
        {
            "priority" => settings with { Priority = (int)Math.Min(Whole(name, ref json), InferenceSettings.LowestPriority) },
            "timeout" => Whole(name, ref json) is > 0 and var micros
                ? settings with { Timeout = TimeSpan.FromMicroseconds(Math.Min(micros, InferenceSettings.LongestTimeout.TotalMicroseconds)) }
                : settings,
            "classification" or "binary_data_size" => throw new RefusedException(ErrorCode.NotImplemented, $"Parameter {name} is not supported yet."),
            _ => settings, // the protocol's parameters are open: what we do not know does not concern us
        };
    }

    private static long Whole(string name, ref Utf8JsonReader json) => json.TokenType == JsonTokenType.Number && json.TryGetInt64(out var value) && value >= 0
        ? value
        : throw Invalid($"Parameter {name} must be a whole number from 0.");

    private static string Printable(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private static RefusedException Invalid(string detail) => new(ErrorCode.InvalidRequest, detail);
}
