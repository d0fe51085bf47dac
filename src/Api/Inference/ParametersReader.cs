using System.Text.Json;
using Millrace.Api.Errors;

namespace Millrace.Api.Inference;

/// <summary>Whose <c>parameters</c> they are: each knows other names.</summary>
internal enum ParametersOf
{
    Request,
    Input,
    Output,
}

/// <summary>What <c>parameters</c> say, of what we know.</summary>
internal readonly record struct Parameters
{
    /// <summary>Of a request.</summary>
    public InferenceSettings Settings { get; init; }

    /// <summary><c>binary_data_output</c> of a request: the default for outputs that do not say it themselves.</summary>
    public bool AllAsBinary { get; init; }

    /// <summary><c>binary_data_size</c> of an input: its bytes follow the JSON.</summary>
    public long? BinarySize { get; init; }

    /// <summary><c>binary_data</c> of an output.</summary>
    public bool? AsBinary { get; init; }

    /// <summary><c>classification</c> of an output; 0 when not asked for.</summary>
    public int Classes { get; init; }
}

/// <summary>Reads a <c>parameters</c> object: strings, numbers and booleans, of which we know some.</summary>
internal static class ParametersReader
{
    public static Parameters Read(ref Utf8JsonReader json, string what, ParametersOf owner)
    {
        var parameters = new Parameters();
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
            throw Invalid($"{char.ToUpperInvariant(what[0])}{what[1..]} must be an object.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (json.TokenType is not (JsonTokenType.String or JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False))
                throw Invalid($"Parameter {RequestRules.Printable(name)} must be a string, a number or a boolean.");
            parameters = Apply(parameters, owner, name, ref json);
        }
        return parameters;
    }

    private static Parameters Apply(Parameters parameters, ParametersOf owner, string name, ref Utf8JsonReader json)
    {
        InferenceSettings.RefuseReserved(name);
        return (owner, name) switch
        {
            (ParametersOf.Request, "priority") => parameters with { Settings = parameters.Settings.WithPriority(Whole(name, ref json, 0)) },
            (ParametersOf.Request, "timeout") => parameters with { Settings = parameters.Settings.WithTimeout(Whole(name, ref json, 0)) },
            (ParametersOf.Request, "binary_data_output") => parameters with { AllAsBinary = Flag(name, ref json) },
            (ParametersOf.Input, "binary_data_size") => parameters with { BinarySize = Whole(name, ref json, 0, ErrorCode.InvalidTensor) },
            (ParametersOf.Output, "binary_data") => parameters with { AsBinary = Flag(name, ref json) },
            (ParametersOf.Output, "classification") => parameters with { Classes = (int)Math.Min(Whole(name, ref json, 1), int.MaxValue) },
            _ => parameters, // the protocol's parameters are open: what we do not know does not concern us
        };
    }

    private static long Whole(string name, ref Utf8JsonReader json, long least, ErrorCode code = ErrorCode.InvalidRequest) =>
        json.TokenType == JsonTokenType.Number && json.TryGetInt64(out var value) && value >= least
            ? value
            : throw new RefusedException(code, $"Parameter {name} must be a whole number from {least}.");

    private static bool Flag(string name, ref Utf8JsonReader json) => json.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => throw Invalid($"Parameter {name} must be true or false."),
    };

    private static RefusedException Invalid(string detail) => new(ErrorCode.InvalidRequest, detail);
}
