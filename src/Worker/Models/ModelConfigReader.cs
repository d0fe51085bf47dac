using System.Collections.Frozen;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Millrace.Storage.Models;

namespace Millrace.Worker.Models;

/// <summary>Reads <c>model.json</c>. What is wrong is named by its JSON pointer, with what would be right.</summary>
internal static partial class ModelConfigReader
{
    private const int MostElements = 1000;

    private static readonly FrozenDictionary<string, PropertyInfo> Members =
        typeof(ModelConfig).GetProperties().ToFrozenDictionary(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name));

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false };

    /// <exception cref="InvalidDataException">The file is not what it should be; the message says why.</exception>
    public static ModelConfig Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Lenient);
            return Read(document.RootElement);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"model.json is not valid JSON: {error.Message}", error);
        }
        catch (InvalidOperationException error) // half a surrogate pair
        {
            throw new InvalidDataException("model.json has a string that is not valid Unicode", error);
        }
    }

    private static ModelConfig Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Wrong("", root, "an object");
        var config = new ModelConfig();
        foreach (var member in root.EnumerateObject())
        {
            if (!Members.TryGetValue(member.Name, out var property))
                throw Unknown("", member.Name, Members.Keys);
            property.SetValue(config, Value(property, member.Value, $"/{member.Name}"));
        }
        if (config.Traffic.Count > 0 && config.Traffic.Values.All(w => w == 0))
            throw new InvalidDataException("model.json: /traffic gives each version 0; one must have more");
        return config;
    }

    private static object Value(PropertyInfo property, JsonElement value, string pointer) => property.GetValue(new ModelConfig()) switch
    {
        bool => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(pointer, value, "true or false"),
        long => Whole(property, value, pointer),
        string => Header(value, pointer),
        int[] => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= MostElements
            ? value.EnumerateArray().Select((e, at) => (int)Whole(property, e, $"{pointer}/{at}")).ToArray()
            : throw Wrong(pointer, value, $"a list of at most {MostElements} whole numbers"),
        VersionPolicy => Policy(value, pointer),
        IReadOnlyDictionary<string, string> => Entries(value, pointer, "files by output").ToDictionary(e => e.Name, e => LabelFile(e.Value, $"{pointer}/{Escape(e.Name)}")),
        IReadOnlyDictionary<string, int> => Entries(value, pointer, "weights by version")
            .ToDictionary(e => Version(e.Name, pointer), e => (int)Whole(property, e.Value, $"{pointer}/{Escape(e.Name)}")),
        _ => (int)Whole(property, value, pointer), // also of the one that may be missing
    };

    private static long Whole(PropertyInfo property, JsonElement value, string pointer)
    {
        var range = property.GetCustomAttribute<RangeAttribute>()!;
        var (least, most) = ((int)range.Minimum, (int)range.Maximum);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(pointer, value, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
    }

    private static string Header(JsonElement value, string pointer) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { } text && (text.Length == 0 || HeaderName().IsMatch(text))
            ? text
            : throw Wrong(pointer, value, "the name of a header, as X-User");

    private static string LabelFile(JsonElement value, string pointer) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { } path && ModelFile.IsBelow(path)
            ? path
            : throw Wrong(pointer, value, "the path of a file below the model's folder, as labels.txt");

    private static VersionPolicy Policy(JsonElement value, string pointer)
    {
        const string right = """{"all": {}}, {"latest": {"num_versions": 2}} or {"specific": {"versions": [1, 3]}}""";
        var choice = Entries(value, pointer, right).ToArray();
        if (choice.Length != 1)
            throw Wrong(pointer, value, right);
        var (name, inner) = (choice[0].Name, choice[0].Value);
        var members = Entries(inner, $"{pointer}/{Escape(name)}", "an object").ToArray();
        switch (name)
        {
            case "all" when members.Length == 0:
                return VersionPolicy.All;
            case "latest" when members.Length == 0:
                return new VersionPolicy(1, null, """{"latest":{"num_versions":1}}""");
            case "latest" when members is [{ Name: "num_versions" }]:
                if (members[0].Value.ValueKind != JsonValueKind.Number || !members[0].Value.TryGetInt32(out var most) || most < 1)
                    throw Wrong($"{pointer}/latest/num_versions", members[0].Value, "a whole number from 1");
                return new VersionPolicy(most, null, string.Create(CultureInfo.InvariantCulture, $$$"""{"latest":{"num_versions":{{{most}}}}}"""));
            case "specific" when members is [{ Name: "versions", Value.ValueKind: JsonValueKind.Array }] && members[0].Value.GetArrayLength() is > 0 and <= MostElements:
                var versions = members[0].Value.EnumerateArray().Select((v, at) => Version(v.GetRawText().Trim('"'), $"{pointer}/specific/versions/{at}")).ToArray();
                return new VersionPolicy(int.MaxValue, versions.ToFrozenSet(), $$$"""{"specific":{"versions":[{{{string.Join(',', versions)}}}]}}""");
            default:
                throw Wrong(pointer, value, right);
        }
    }

    private static IEnumerable<JsonProperty> Entries(JsonElement value, string pointer, string right) =>
        value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw Wrong(pointer, value, right);

    private static string Version(string name, string pointer) =>
        ModelNames.IsVersion(name) ? name : throw new InvalidDataException($"model.json: {pointer} names the version {ModelFile.Show(name)}; a version is a whole number from 1");

    private static InvalidDataException Unknown(string pointer, string name, IEnumerable<string> known) =>
        new($"model.json: {pointer}/{ModelFile.Show(Escape(name))} is not known; there are {string.Join(", ", known.Order())}");

    private static InvalidDataException Wrong(string pointer, JsonElement value, string right) =>
        new($"model.json: {(pointer.Length == 0 ? "the whole" : ModelFile.Show(pointer))} is {ModelFile.Show(value.GetRawText())}; it must be {right}");

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <remarks>Source: RFC 9110, a token.</remarks>
    [GeneratedRegex(@"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\z")]
    private static partial Regex HeaderName();
}
