using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>Reads and validates an inference request against the model's announced metadata, in one pass over its JSON. Tensors that follow the JSON are used where they lie.</summary>
/// <remarks>Source: Open Inference Protocol, inference request JSON object; Triton's binary tensor data extension.</remarks>
internal ref struct InferenceReader
{

    private readonly ReadOnlySpan<byte> _json;
    private readonly ReadOnlyMemory<byte> _tensors;
    private readonly bool _isFramed;
    private readonly ServedVersion _model;
    private readonly LimitsOptions _limits;
    private readonly RequestRules _rules;
    private readonly bool _strict;
    private readonly Tensor?[] _inputs;
    private int _taken; // bytes of _tensors that inputs have
    private string? _unframed; // an input that is in binary, while the header that frames such a body is absent
    private Parameters _parameters;
    private bool _isGeneral;
    private int _skipped; // bytes that the present reader has not seen, as another read them

    private InferenceReader(InferenceBody body, ServedVersion model, LimitsOptions limits, bool strict)
    {
        _json = body.Json.Span;
        _tensors = body.Tensors;
        _isFramed = body.IsFramed;
        _model = model;
        _limits = limits;
        _rules = new RequestRules(model, limits);
        _strict = strict;
        _inputs = new Tensor?[model.Inputs.Count];
    }

    /// <param name="body">Inputs may be views of it.</param>
    /// <param name="strict">Refuse unknown members, as everywhere under /v1; under /v2 they are ignored.</param>
    /// <exception cref="RefusedException">It is not a valid request for this model.</exception>
    public static (InferenceRequest Request, InferenceSettings Settings) Read(InferenceBody body, ServedVersion model, LimitsOptions limits, bool strict)
    {
        if (body.IsRaw)
            return (RawRequest.Read(body.Tensors, model, limits), default);
        try
        {
            var reader = new InferenceReader(body, model, limits, strict);
            return (reader.Read(), reader._parameters.Settings);
        }
        catch (JsonException)
        {
            return Explain(body, model, limits, strict);
        }
        catch (InvalidOperationException) // a string that is not valid Unicode
        {
            throw new RefusedException(ErrorCode.InvalidJson, "The body has a string that is not valid UTF-8 or has half a surrogate pair.");
        }
    }

    /// <summary>Once more without the reader of plain numbers, after which positions are not those of the body.</summary>
    private static (InferenceRequest Request, InferenceSettings Settings) Explain(InferenceBody body, ServedVersion model, LimitsOptions limits, bool strict)
    {
        var reader = new InferenceReader(body, model, limits, strict) { _isGeneral = true };
        try
        {
            return (reader.Read(), reader._parameters.Settings);
        }
        catch (JsonException error)
        {
            var hint = reader._unframed is null ? "" : $" {InferenceBody.Header} must say where the JSON ends and the tensors begin.";
            throw new RefusedException(ErrorCode.InvalidJson, $"The body is not valid JSON: {error.Message}{hint}");
        }
        catch (InvalidOperationException) // a string that is not valid Unicode
        {
            throw new RefusedException(ErrorCode.InvalidJson, "The body has a string that is not valid UTF-8 or has half a surrogate pair.");
        }
    }

    private InferenceRequest Read()
    {
        var json = new Utf8JsonReader(_json, new JsonReaderOptions { MaxDepth = _limits.MaxJsonDepth });
        json.Read();
        Expect(json, JsonTokenType.StartObject, "the request", "an object with inputs");
        string? id = null;
        var hasInputs = false;
        List<(string Name, Parameters Parameters)> outputs = [];
        while (NextMember(ref json))
        {
            if (json.ValueTextEquals("inputs"u8))
            {
                ReadInputs(ref json);
                hasInputs = true;
            }
            else if (json.ValueTextEquals("id"u8))
                id = ReadString(ref json, "id");
            else if (json.ValueTextEquals("outputs"u8))
                outputs = ReadOutputs(ref json);
            else if (json.ValueTextEquals("parameters"u8))
                _parameters = ParametersReader.Read(ref json, "parameters", ParametersOf.Request);
            else
                SkipUnknown(ref json, "the request");
        }
        if (json.Read()) // throws on anything but white space
            throw Invalid("The body goes on after the request.");
        if (!hasInputs)
            throw Invalid("The request has no inputs; it must have an array of tensors.");
        CheckTaken();
        var all = _parameters.AllAsBinary;
        return new InferenceRequest(id, _rules.Complete(_inputs), outputs.ConvertAll(o => new RequestedOutput(o.Name, o.Parameters.AsBinary ?? all, o.Parameters.Classes))) { AllAsBinary = all };
    }

    /// <summary>No byte is left over: whoever counts on it would get an answer to something else.</summary>
    private readonly void CheckTaken()
    {
        if (_unframed is not null)
            throw TensorJsonReader.Wrong(_unframed, $"it has a binary_data_size, and nothing follows the JSON; {InferenceBody.Header} must say where the tensors begin");
        if (_taken != _tensors.Length)
            throw new RefusedException(ErrorCode.InvalidTensor, $"The inputs take {_taken} bytes by their binary_data_size, and {_tensors.Length} bytes follow the JSON; both must be equal.");
    }

    private void ReadInputs(ref Utf8JsonReader json)
    {
        json.Read();
        Expect(json, JsonTokenType.StartArray, "inputs", "an array of tensors");
        var count = 0;
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (++count > _limits.MaxTensors)
                throw Invalid($"inputs has more than {_limits.MaxTensors} tensors.");
            ReadInput(ref json);
        }
    }

    private void ReadInput(ref Utf8JsonReader json)
    {
        Expect(json, JsonTokenType.StartObject, "an input", "an object with name, shape, datatype and data or parameters.binary_data_size");
        var draft = new InputDraft();
        while (NextMember(ref json))
        {
            if (json.ValueTextEquals("name"u8))
                draft.Name = Once(draft.Name is null, "name", ReadString(ref json, "an input's name"));
            else if (json.ValueTextEquals("datatype"u8))
                draft.Datatype = Once(draft.Datatype is null, "datatype", ReadString(ref json, "an input's datatype"));
            else if (json.ValueTextEquals("shape"u8))
                draft.Shape = Once(draft.Shape is null, "shape", ReadShape(ref json, draft.Name));
            else if (json.ValueTextEquals("data"u8))
                ReadData(ref json, draft);
            else if (json.ValueTextEquals("parameters"u8))
                draft.BinarySize = ParametersReader.Read(ref json, "an input's parameters", ParametersOf.Input).BinarySize;
            else
                SkipUnknown(ref json, "an input");
        }
        if (draft.BinarySize is { } size)
            draft.Data = Take(draft, size);
        else if (draft.Data is null && draft.DataAt >= 0) // data stood before what it takes to read it
        {
            var again = new Utf8JsonReader(_json[draft.DataAt..draft.DataEnd], new JsonReaderOptions { MaxDepth = _limits.MaxJsonDepth });
            again.Read();
            draft.Data = TensorJsonReader.Read(ref again, draft.Name ?? "", Check(draft), Count(draft, draft.DataEnd - draft.DataAt), _json[draft.DataAt..draft.DataEnd], out _);
        }
        var index = IndexOf(draft);
        if (draft.Data is not { } data)
            throw TensorJsonReader.Wrong(draft.Name!, "it has neither data nor parameters.binary_data_size");
        _inputs[index] = new Tensor(draft.Name!, Check(draft), draft.Shape!, data);
    }

    /// <summary>The bytes of an input that follow those of the inputs before it.</summary>
    private ReadOnlyMemory<byte> Take(InputDraft draft, long size)
    {
        var datatype = Check(draft);
        if (draft.DataAt >= 0)
            throw TensorJsonReader.Wrong(draft.Name!, "it has both data and parameters.binary_data_size; send one of them");
        var count = TensorShape.Count(draft.Name!, draft.Shape!, _limits.MaxElements);
        if (!_isFramed && size > 0)
        {
            _unframed ??= draft.Name; // what is after the JSON makes it invalid JSON, which is told first
            return default;
        }
        if (size > _tensors.Length - _taken)
            throw TensorJsonReader.Wrong(draft.Name!, $"its binary_data_size is {size}, and {_tensors.Length - _taken} bytes are left of the {_tensors.Length} after the JSON");
        var bytes = _tensors.Slice(_taken, (int)size);
        TensorBytes.Check(draft.Name!, datatype, count, bytes.Span);
        _taken += (int)size;
        return bytes;
    }

    private void ReadData(ref Utf8JsonReader json, InputDraft draft)
    {
        json.Read();
        draft.DataAt = Once(draft.DataAt < 0, "data", _skipped + (int)json.TokenStartIndex);
        if (draft.IsDescribed)
        {
            draft.Data = TensorJsonReader.Read(ref json, draft.Name!, Check(draft), Count(draft, _json.Length - draft.DataAt), _isGeneral ? default : _json[draft.DataAt..], out var skipped);
            if (skipped > 0)
                _skipped = draft.DataAt + skipped;
            return;
        }
        json.Skip();
        draft.DataEnd = _skipped + (int)json.BytesConsumed;
    }

    /// <summary>The datatype, after name, datatype and shape were found to be what the model takes.</summary>
    private readonly Datatype Check(InputDraft draft) => RequestRules.Check(_model.Inputs[IndexOf(draft)], draft.Datatype, draft.Shape);

    private readonly int IndexOf(InputDraft draft) => _rules.IndexOf(draft.Name, _inputs);

    /// <param name="available">Bytes of JSON that are left: no tensor has more elements, so a forged shape allocates nothing.</param>
    private readonly long Count(InputDraft draft, int available) => TensorShape.Count(draft.Name!, draft.Shape!, _limits.MaxElements) is var count && count <= available
        ? count
        : throw TensorJsonReader.Wrong(draft.Name!, $"its shape {TensorShape.Text(draft.Shape)} takes more elements than data has");

    /// <summary>A member that comes twice could undo the check of the first.</summary>
    private static T Once<T>(bool isFirst, string member, T value) => isFirst ? value : throw Invalid($"An input has {member} twice.");

    private static long[] ReadShape(ref Utf8JsonReader json, string? name)
    {
        json.Read();
        Expect(json, JsonTokenType.StartArray, "shape", "an array of whole numbers");
        var shape = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out var dimension) || dimension < 0)
                throw TensorJsonReader.Wrong(name ?? "(not named yet)", "each dimension of its shape must be a whole number from 0");
            if (shape.Count == RequestRules.MostDimensions)
                throw TensorJsonReader.Wrong(name ?? "(not named yet)", $"its shape has more than {RequestRules.MostDimensions} dimensions");
            shape.Add(dimension);
        }
        return [.. shape];
    }

    private readonly List<(string Name, Parameters Parameters)> ReadOutputs(ref Utf8JsonReader json)
    {
        json.Read();
        Expect(json, JsonTokenType.StartArray, "outputs", "an array of objects with a name");
        var outputs = new List<(string Name, Parameters Parameters)>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            var (name, parameters) = ReadOutput(ref json);
            _rules.CheckOutput(name, parameters.Classes, outputs.Exists(o => o.Name == name), outputs.Count);
            outputs.Add((name, parameters));
        }
        return outputs;
    }

    private readonly (string Name, Parameters Parameters) ReadOutput(ref Utf8JsonReader json)
    {
        Expect(json, JsonTokenType.StartObject, "an output", "an object with a name");
        string? name = null;
        var parameters = new Parameters();
        while (NextMember(ref json))
        {
            if (json.ValueTextEquals("name"u8))
                name = ReadString(ref json, "an output's name");
            else if (json.ValueTextEquals("parameters"u8))
                parameters = ParametersReader.Read(ref json, "an output's parameters", ParametersOf.Output);
            else
                SkipUnknown(ref json, "an output");
        }
        return (name ?? throw Invalid("An output has no name."), parameters);
    }

    private readonly void SkipUnknown(ref Utf8JsonReader json, string where)
    {
        if (_strict)
            throw Invalid($"{where} has an unknown member {RequestRules.Printable(json.GetString()!)}.");
        json.Skip();
    }

    private static bool NextMember(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.PropertyName;

    private static string ReadString(ref Utf8JsonReader json, string what)
    {
        json.Read();
        Expect(json, JsonTokenType.String, what, "a string");
        return json.GetString()!;
    }

    private static void Expect(in Utf8JsonReader json, JsonTokenType type, string what, string expected)
    {
        if (json.TokenType != type)
            throw Invalid($"{char.ToUpperInvariant(what[0])}{what[1..]} must be {expected}.");
    }

    private static RefusedException Invalid(string detail) => new(ErrorCode.InvalidRequest, detail);

    /// <summary>What is known of an input so far.</summary>
    private sealed class InputDraft
    {
        public string? Name { get; set; }
        public string? Datatype { get; set; }
        public long[]? Shape { get; set; }
        public ReadOnlyMemory<byte>? Data { get; set; }
        public int DataAt { get; set; } = -1;
        public int DataEnd { get; set; }
        public long? BinarySize { get; set; }

        public bool IsDescribed => Name is not null && Datatype is not null && Shape is not null;
    }
}
