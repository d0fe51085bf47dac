using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Millrace.Worker.Models;

namespace Millrace.Architecture.Tests.Documents;

/// <summary>The JSON schema of <c>model.json</c>, from the class that it is read into.</summary>
internal static class ModelSchema
{
    private const string Version = "^[1-9][0-9]{0,17}$";

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write()
    {
        var config = typeof(ModelsOptions).Assembly.GetType("Millrace.Worker.Models.ModelConfig", throwOnError: true)!;
        var defaults = Activator.CreateInstance(config);
        var members = new JsonObject();
        foreach (var property in config.GetProperties())
        {
            var member = Member(property, property.GetValue(defaults));
            member.Insert(0, "description", ConfigurationPage.Summary(config, $"P:{config.FullName}.{property.Name}"));
            members.Add(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name), member);
        }
        return new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "model.json",
            ["description"] = ConfigurationPage.Summary(config, $"T:{config.FullName}"),
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["properties"] = members,
        }.ToJsonString(Readable) + "\n";
    }

    private static JsonObject Member(PropertyInfo property, object? value) => value switch
    {
        bool flag => new JsonObject { ["type"] = "boolean", ["default"] = flag },
        string text => new JsonObject { ["type"] = "string", ["default"] = text },
        int[] => new JsonObject { ["type"] = "array", ["maxItems"] = 1000, ["items"] = Whole(property) },
        IReadOnlyDictionary<string, string> => new JsonObject { ["type"] = "object", ["additionalProperties"] = new JsonObject { ["type"] = "string" } },
        IReadOnlyDictionary<string, int> =>
            new JsonObject { ["type"] = "object", ["propertyNames"] = new JsonObject { ["pattern"] = Version }, ["additionalProperties"] = Whole(property) },
        int when property.Name == "Instances" => Whole(property), // as many as the machine has cores
        int or long => WithDefault(Whole(property), Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture)),
        null => WithDefault(Whole(property), 1),
        _ => Policy(),
    };

    private static JsonObject WithDefault(JsonObject member, long value)
    {
        member["default"] = value;
        return member;
    }

    private static JsonObject Whole(PropertyInfo property)
    {
        var range = property.GetCustomAttribute<RangeAttribute>()!;
        return new JsonObject { ["type"] = "integer", ["minimum"] = (int)range.Minimum, ["maximum"] = (int)range.Maximum };
    }

    private static JsonObject Policy() => new()
    {
        ["type"] = "object",
        ["default"] = new JsonObject { ["all"] = new JsonObject() },
        ["minProperties"] = 1,
        ["maxProperties"] = 1,
        ["additionalProperties"] = false,
        ["properties"] = new JsonObject
        {
            ["all"] = Closed(),
            ["latest"] = Closed(("num_versions", new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["default"] = 1 }), false),
            ["specific"] = Closed(("versions", new JsonObject
            {
                ["type"] = "array",
                ["minItems"] = 1,
                ["maxItems"] = 1000,
                ["items"] = new JsonObject { ["type"] = new JsonArray("integer", "string"), ["minimum"] = 1, ["pattern"] = Version },
            }), true),
        },
    };

    private static JsonObject Closed() => new() { ["type"] = "object", ["additionalProperties"] = false };

    private static JsonObject Closed((string Name, JsonObject Value) member, bool isRequired)
    {
        var closed = Closed();
        closed["properties"] = new JsonObject { [member.Name] = member.Value };
        if (isRequired)
            closed["required"] = new JsonArray(member.Name);
        return closed;
    }
}
